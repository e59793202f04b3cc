-- closed: credentials
FROM duckdb_secrets()

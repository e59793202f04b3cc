-- closed: what the machine is like
FROM duckdb_settings()

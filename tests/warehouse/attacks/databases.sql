-- closed: where the file is
FROM duckdb_databases()

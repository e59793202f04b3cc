-- closed: what is installed
FROM duckdb_extensions()

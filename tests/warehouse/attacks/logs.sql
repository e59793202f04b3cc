-- closed: what others asked
FROM duckdb_logs()

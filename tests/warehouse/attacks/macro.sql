-- read_only: a function with something inside
CREATE TEMP MACRO f() AS TABLE FROM duckdb_databases()

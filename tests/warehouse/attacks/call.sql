-- read_only: a function as a statement
CALL duckdb_databases()

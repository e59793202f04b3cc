-- no_such_table: the same as a view
SELECT path FROM duckdb_databases

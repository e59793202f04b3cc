-- closed: a table's name in a string
FROM query_table('duckdb_databases')

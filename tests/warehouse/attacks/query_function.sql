-- closed: a statement in a string
FROM query('FROM duckdb_databases()')

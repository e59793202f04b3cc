-- closed, outside: the tables before release
FROM read_duckdb('{data}/released/work.duckdb', table_name = 'pages')

-- read_only, outside: another database
ATTACH '{data}/released/work.duckdb' AS work

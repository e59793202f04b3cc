-- read_only, outside: an extension from a file
LOAD '/tmp/x.duckdb_extension'

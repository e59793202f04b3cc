-- no_such_table, outside: a Parquet file named where a table stands
FROM '{data}/published/current/pages.parquet'

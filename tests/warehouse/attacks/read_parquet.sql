-- closed, outside: facts, not released tables
FROM read_parquet('{data}/published/current/*.parquet')

-- read_only: a table in memory
CREATE TEMP TABLE x AS SELECT 1

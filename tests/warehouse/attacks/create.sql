-- read_only, outside: a table
CREATE TABLE x AS SELECT 1

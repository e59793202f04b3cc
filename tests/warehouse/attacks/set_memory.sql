-- read_only, outside: more than a query may take
SET memory_limit = '100GB'

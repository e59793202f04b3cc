-- no_such_table, outside: a file named where a table stands
FROM '/etc/passwd'

-- no_such_table, outside: a file behind DESCRIBE
DESCRIBE '/etc/passwd'

-- no_such_table: a variable of the process that asks
FROM statements

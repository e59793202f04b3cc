-- no_such_table: a table that the process holds
FROM rows

-- no_such_table: where the file is
PRAGMA database_list

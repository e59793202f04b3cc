-- no_such_table: the catalog by another name
FROM sqlite_master

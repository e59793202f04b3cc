-- no_such_table: the catalog by a third name
FROM pg_catalog.pg_settings

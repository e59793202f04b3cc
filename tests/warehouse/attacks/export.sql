-- read_only, outside: writing everything
EXPORT DATABASE '{data}/stolen'

-- read_only, outside: reading everything
IMPORT DATABASE '{data}/stolen'

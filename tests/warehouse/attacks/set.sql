-- read_only, outside: opening what is closed
SET enable_external_access = true

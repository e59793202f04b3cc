-- read_only, outside: the same by default
RESET enable_external_access

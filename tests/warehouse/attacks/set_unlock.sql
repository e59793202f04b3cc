-- read_only, outside: the lock itself
SET lock_configuration = false

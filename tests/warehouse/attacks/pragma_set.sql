-- read_only, outside: a setting by another word
PRAGMA memory_limit = '100GB'

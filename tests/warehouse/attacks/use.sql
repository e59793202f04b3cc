-- read_only: another catalog
USE system

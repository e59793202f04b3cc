-- read_only: the same
VACUUM

-- read_only: a value for later
SET VARIABLE x = 1

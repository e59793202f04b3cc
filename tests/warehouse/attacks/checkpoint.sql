-- read_only: writing the file
CHECKPOINT

-- read_only: writing a profile
PRAGMA enable_profiling

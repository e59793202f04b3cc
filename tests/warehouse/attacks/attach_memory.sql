-- read_only: a place to write
ATTACH ':memory:' AS scratch

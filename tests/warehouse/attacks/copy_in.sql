-- read_only, outside: reading a file into a table
COPY pages FROM '/etc/passwd'

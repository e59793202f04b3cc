-- closed, outside: a file of the machine
SELECT * FROM read_csv('/etc/passwd')

-- closed, outside: a file as bytes
FROM read_blob('/etc/hostname')

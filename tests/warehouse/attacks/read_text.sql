-- closed, outside: a file as text
SELECT content FROM read_text('/etc/hostname')

-- closed, outside: behind SUMMARIZE
SUMMARIZE SELECT * FROM read_text('/etc/hostname')

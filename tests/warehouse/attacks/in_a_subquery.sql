-- closed, outside: hidden three levels deep
SELECT (SELECT max(c) FROM (SELECT content AS c FROM read_text('/etc/hostname')))

-- closed, outside: hidden behind a name
WITH pages AS MATERIALIZED (FROM read_text('/etc/hostname')) SELECT * FROM pages

-- closed, outside: EXPLAIN ANALYZE runs what it explains
EXPLAIN ANALYZE SELECT * FROM read_text('/etc/hostname')

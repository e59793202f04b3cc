-- closed, outside: behind PIVOT
PIVOT (FROM read_text('/etc/hostname')) ON size IN (1) USING count(*)

-- closed, outside: what a file looks like
FROM sniff_csv('/etc/passwd')

-- closed, outside: somebody else's host
FROM read_csv('https://example.org/x.csv')

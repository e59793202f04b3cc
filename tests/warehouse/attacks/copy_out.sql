-- read_only, outside: writing a file
COPY pages TO '{data}/stolen.csv'

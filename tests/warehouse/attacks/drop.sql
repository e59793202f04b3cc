-- read_only, outside: removing a table
DROP TABLE traffic_day

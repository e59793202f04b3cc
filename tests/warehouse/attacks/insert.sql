-- read_only, outside: writing
INSERT INTO traffic_day SELECT * FROM traffic_day

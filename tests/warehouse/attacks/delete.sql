-- read_only, outside: removing
DELETE FROM traffic_day

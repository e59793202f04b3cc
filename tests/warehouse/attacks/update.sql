-- read_only, outside: changing
UPDATE traffic_day SET people = 1000000

/*
title = "Countries"
doc = "By the address, which is forgotten at once. Approximate: the database that ships says where an address is registered, not where its user is. ZZ is unknown."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "country"]
sums = ["views", "events"]
fold = ["country"]
total = ["traffic_day"]

[caps]
cells = 10
views = 1000
events = 5000
*/
SELECT site, day, coalesce(country, 'ZZ') AS country, person,
    sum(views) AS views, sum(events) AS events
FROM profiles GROUP BY ALL

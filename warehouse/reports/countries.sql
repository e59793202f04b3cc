/*
title = "Countries"
doc = "By the address, which is forgotten at once; approximate. ZZ is unknown."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "country"]
sums = ["views", "events"]
fold = ["country"]
*/
SELECT site, day, coalesce(country, 'ZZ') AS country, person,
    sum(views) AS views, sum(events) AS events
FROM profiles GROUP BY ALL

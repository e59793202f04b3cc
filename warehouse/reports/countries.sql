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
    count(*) FILTER (type = 'page_view') AS views, count(*) AS events
FROM events GROUP BY ALL

/*
title = "Browsers and systems"
doc = "Browser family with operating system. Rare systems of a browser are one row, rare browsers too."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "browser", "os"]
sums = ["views", "events"]
fold = ["browser", "os"]
total = ["traffic_day"]

[caps]
cells = 10
views = 1000
events = 5000
*/
SELECT site, day, coalesce(browser, '(unknown)') AS browser, coalesce(os, '(unknown)') AS os, person,
    sum(views) AS views, sum(events) AS events
FROM profiles GROUP BY ALL

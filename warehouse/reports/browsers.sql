/*
title = "Browsers and systems"
doc = "Browser family with operating system. Rare systems of a browser are one row, rare browsers too."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "browser", "os"]
sums = ["views", "events"]
fold = ["browser", "os"]
*/
SELECT site, day, coalesce(browser, '(unknown)') AS browser, coalesce(os, '(unknown)') AS os, person,
    sum(views) AS views, sum(events) AS events
FROM profiles GROUP BY ALL

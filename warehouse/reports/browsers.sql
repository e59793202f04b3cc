/*
title = "Browsers and systems"
doc = "Browser family with operating system."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "browser", "os"]
sums = ["views", "events"]
fold = ["browser", "os"]
*/
SELECT site, day, coalesce(browser, '') AS browser, coalesce(os, '') AS os, person,
    count(*) FILTER (type = 'page_view') AS views, count(*) AS events
FROM events GROUP BY ALL

/*
title = "Sources"
doc = "Where page views came from: group and host of the referrer. Moves within the site do not count."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "referrer_group", "referrer_host"]
sums = ["views"]
fold = ["referrer_group", "referrer_host"]
*/
SELECT site, day, referrer_group, coalesce(referrer_host, '') AS referrer_host, person, count(*) AS views
FROM events WHERE type = 'page_view' AND referrer_group IS NOT NULL AND referrer_group <> 'internal'
GROUP BY ALL

/*
title = "Entry pages"
doc = "The first page of each visit. They add up to all visits."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "path"]
sums = ["visits", "bounces"]
fold = ["path"]
total = ["sessions"]

[caps]
cells = 20
visits = 48
bounces = 48
*/
SELECT site, day, coalesce(entry, '(none)') AS path, person, count(*) AS visits, sum(bounced) AS bounces
FROM visits GROUP BY ALL

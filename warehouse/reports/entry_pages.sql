/*
title = "Entry pages"
doc = "The first page of each visit."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "path"]
sums = ["visits", "bounces"]
fold = ["path"]
*/
SELECT site, day, entry AS path, person, count(*) AS visits, sum(bounced) AS bounces
FROM visits WHERE entry IS NOT NULL GROUP BY ALL

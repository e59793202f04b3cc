/*
title = "Exit pages"
doc = "The last page of each visit."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "path"]
sums = ["visits"]
fold = ["path"]
*/
SELECT site, day, leave AS path, person, count(*) AS visits
FROM visits WHERE leave IS NOT NULL GROUP BY ALL

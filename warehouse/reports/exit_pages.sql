/*
title = "Exit pages"
doc = "The last page of each visit. They add up to all visits."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "path"]
sums = ["visits"]
fold = ["path"]
total = ["sessions"]

[caps]
cells = 20
visits = 48
*/
SELECT site, day, coalesce(leave, '(none)') AS path, person, count(*) AS visits
FROM visits GROUP BY ALL

/*
title = "Gender"
doc = "Of members who agreed to have it counted. The minimum group is five times the usual; smaller ones are left out."
owner = "marketing"
purpose = "gender"
keys = ["site", "day", "gender"]
sums = ["events"]
times = 5

[caps]
cells = 2
events = 5000
*/
SELECT site, day, gender, person, count(*) AS events
FROM events WHERE gender IS NOT NULL GROUP BY ALL

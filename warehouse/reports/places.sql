/*
title = "Places"
doc = "Cells of about 20 km, of visitors who agreed to share where their phone is. The minimum group is five times the usual; smaller cells are left out."
owner = "marketing"
purpose = "precise_geo"
keys = ["site", "day", "cell"]
sums = ["events"]
times = 5

[caps]
cells = 5
events = 5000
*/
SELECT site, day, cell, person, count(*) AS events
FROM events WHERE cell IS NOT NULL GROUP BY ALL

/*
title = "New and returning"
doc = "Only people who allowed an identifier can be known again: new on the first day they are seen, returning later. Everyone else is unknown."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "kind"]
sums = ["views", "events"]
grain = "all"
fold = ["kind"]
total = ["traffic_day"]

[caps]
cells = 1
views = 1000
events = 5000
*/
SELECT d.site, d.day,
    CASE WHEN NOT d.identified THEN 'unknown' WHEN d.day = f.first THEN 'new' ELSE 'returning' END AS kind,
    d.person, d.views, d.events
FROM days d LEFT JOIN firsts f USING (site, person)

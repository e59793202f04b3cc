/*
title = "Traffic by day"
doc = "People, page views, visits and events of each day, adverts not among them. Someone without an identifier is one person a day."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day"]
sums = ["views", "visits", "events"]

[caps]
views = 1000
visits = 48
events = 5000
*/
SELECT site, day, person, sum(views) AS views, sum(visits) AS visits, sum(events) AS events
FROM (
    SELECT site, day, person, views, 0 AS visits, events FROM profiles
    UNION ALL SELECT site, day, person, 0, 1, 0 FROM visits
) GROUP BY ALL

/*
title = "Traffic by day"
doc = "People, page views, visits and events of each day, adverts not among them. Someone without an identifier is one person a day."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day"]
sums = ["views", "visits", "events"]
*/
SELECT site, day, person, p.views, coalesce(v.visits, 0) AS visits, p.events
FROM (SELECT site, day, person, sum(views) AS views, sum(events) AS events FROM profiles GROUP BY ALL) p
LEFT JOIN (SELECT site, day, person, count(*) AS visits FROM visits GROUP BY ALL) v USING (site, day, person)

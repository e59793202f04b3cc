/*
title = "Traffic by day"
doc = "People, page views, visits and events of each day. A person without an identifier is one person a day."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day"]
sums = ["views", "visits", "events"]
within = ["site"]
*/
SELECT e.site, e.day, e.person, e.views, coalesce(v.visits, 0) AS visits, e.events
FROM (
    SELECT site, day, person, count(*) FILTER (type = 'page_view') AS views, count(*) AS events
    FROM events GROUP BY ALL
) e
LEFT JOIN (SELECT site, day, person, count(*) AS visits FROM visits GROUP BY ALL) v USING (site, day, person)

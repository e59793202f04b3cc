/*
title = "Extract for research"
doc = "People who allowed research, by country and kind of device, and the views and events of them. Whoever was in more than two groups in a month counts in the two of most views."
owner = "research"
audiences = ["research"]
purpose = "research"
keys = ["site", "month", "country", "device"]
cells = 2

[spaces]
country = "countries"
device = ["desktop", "mobile", "tablet", "other"]

[people]
name = "people"
says = "people of the group; who has no identifier is one a day"
most = 1
weight = 16

[[numbers]]
name = "views"
says = "page views"
most = 50
weight = 30

[[numbers]]
name = "events"
says = "events of any kind, page views among them"
most = 80
weight = 30
*/
SELECT site, strftime(day, '%Y-%m') AS month, coalesce(country, 'ZZ') AS country,
    CASE WHEN device IN ('desktop', 'mobile', 'tablet') THEN device ELSE 'other' END AS device,
    person, sum(views) AS views, sum(events) AS events
FROM profiles GROUP BY ALL

/*
title = "Activity"
doc = "Page views, visits and events of each month, adverts not among them. Someone without an identifier is one person a day."
owner = "investors"
purpose = "measurement"
keys = ["site", "month"]
cells = 1

[people]
name = "people"
says = "people; who has no identifier is one a day"
most = 1
weight = 4

[[numbers]]
name = "views"
says = "page views"
most = 60
weight = 40

[[numbers]]
name = "visits"
says = "visits: no pause of more than half an hour"
most = 20
weight = 30

[[numbers]]
name = "events"
says = "events of any kind, page views among them"
most = 100
weight = 40
*/
SELECT site, strftime(day, '%Y-%m') AS month, person, sum(views) AS views, sum(visits) AS visits, sum(events) AS events
FROM (
    SELECT site, day, person, views, 0 AS visits, events FROM profiles
    UNION ALL SELECT site, day, person, 0, 1, 0 FROM visits
) GROUP BY ALL

/*
title = "Activity by week"
doc = "Weeks from Monday to Sunday that end in the period, by the day on which they begin."
owner = "investors"
purpose = "measurement"
keys = ["site", "begins"]
grain = "week"
cells = 5

[people]
name = "people"
says = "people who came in that week; who has no identifier is one a day"
most = 1
weight = 10

[[numbers]]
name = "views"
says = "page views"
most = 25
weight = 60
*/
SELECT site, strftime(date_trunc('week', day), '%Y-%m-%d') AS begins, person, sum(views) AS views
FROM profiles GROUP BY ALL

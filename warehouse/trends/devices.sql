/*
title = "Devices"
doc = "Desktop, mobile, tablet and others. Whoever used more than two kinds in a month counts in the two of most views."
owner = "investors"
audiences = ["investors", "advertiser", "partner"]
purpose = "measurement"
keys = ["site", "month", "device"]
cells = 2

[spaces]
device = ["desktop", "mobile", "tablet", "tv", "console", "other"]

[people]
name = "people"
says = "people who used one; who has no identifier is one a day"
most = 1
weight = 16

[[numbers]]
name = "views"
says = "page views"
most = 50
weight = 60
*/
SELECT site, strftime(day, '%Y-%m') AS month, coalesce(device, 'other') AS device, person, sum(views) AS views
FROM profiles GROUP BY ALL

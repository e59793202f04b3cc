/*
title = "Sources"
doc = "Visits by where their first page was come to from, and the page views in them. internal: back after a pause, from a page of the site. They add up to all visits."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "referrer_group", "referrer_host"]
sums = ["visits", "views"]
fold = ["referrer_group", "referrer_host"]
total = ["sessions"]

[caps]
cells = 20
visits = 48
views = 1000
*/
SELECT site, day, coalesce(referrer_group, 'direct') AS referrer_group, coalesce(referrer_host, '(none)') AS referrer_host,
    person, count(*) AS visits, sum(views) AS views
FROM visits GROUP BY ALL

/*
title = "Campaigns"
doc = "Visits by the campaign tags of their first page, and the page views in them. Not tagged: (none), so that the rows add up to all visits."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "utm_source", "utm_medium", "utm_campaign"]
sums = ["visits", "views"]
fold = ["utm_source", "utm_medium", "utm_campaign"]
total = ["sessions"]

[caps]
cells = 20
visits = 48
views = 1000
*/
SELECT site, day, coalesce(utm_source, '(none)') AS utm_source, coalesce(utm_medium, '(none)') AS utm_medium,
    coalesce(utm_campaign, '(none)') AS utm_campaign, person, count(*) AS visits, sum(views) AS views
FROM visits GROUP BY ALL

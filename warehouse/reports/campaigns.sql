/*
title = "Campaigns"
doc = "Page views that came with campaign tags."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "utm_source", "utm_medium", "utm_campaign"]
sums = ["views"]
fold = ["utm_source", "utm_medium", "utm_campaign"]
*/
SELECT site, day, coalesce(utm_source, '') AS utm_source, coalesce(utm_medium, '') AS utm_medium,
    coalesce(utm_campaign, '') AS utm_campaign, person, count(*) AS views
FROM events
WHERE type = 'page_view' AND coalesce(utm_source, utm_medium, utm_campaign) IS NOT NULL
GROUP BY ALL

/*
title = "Interest"
doc = "What adverts were met with on which kind of page, where and on what device: impressions, viewable ones and clicks of valid traffic by the first part of the page's path. About pages and places, never about a person: there is no profile to choose by. For the ad server, as a file and at /segments/."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "category", "country", "device"]
sums = ["impressions", "viewable", "clicks"]
fold = ["category", "country", "device"]

[caps]
cells = 50
impressions = 200
viewable = 200
clicks = 20
*/
SELECT site, day, coalesce('/' || split_part(path, '/', 2), '(none)') AS category,
    coalesce(country, 'ZZ') AS country, coalesce(device, 'other') AS device, person,
    sum(net_impressions) AS impressions, sum(net_viewable) AS viewable, sum(net_clicks) AS clicks
FROM advert_views GROUP BY ALL
HAVING sum(net_impressions) + sum(net_viewable) + sum(net_clicks) > 0

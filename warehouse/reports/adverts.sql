/*
title = "Adverts"
doc = "The numbers of delivery by campaign, creative, placement (where none was booked: the slot), country and device; of a country with too few people the continent is told. A number that few people add to is 0 in a row as small as these: rates of a campaign are those of delivery. Not filled in: (none)."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "ad_campaign", "ad_creative", "ad_placement", "continent", "country", "device"]
sums = ["requests", "served", "impressions", "measured", "viewable", "clicks", "net_impressions", "net_measured", "net_viewable", "net_clicks"]
fold = ["ad_campaign", "ad_creative", "ad_placement", "continent", "country", "device"]
total = ["delivery"]

[caps]
cells = 50
requests = 500
served = 500
impressions = 200
measured = 200
viewable = 200
clicks = 20
net_impressions = 200
net_measured = 200
net_viewable = 200
net_clicks = 20
*/
SELECT site, day, coalesce(ad_campaign, '(none)') AS ad_campaign,
    coalesce(ad_creative, '(none)') AS ad_creative, coalesce(ad_placement, '(none)') AS ad_placement,
    coalesce(continent, '(unknown)') AS continent, coalesce(country, 'ZZ') AS country,
    coalesce(device, 'other') AS device, person, sum(requests) AS requests, sum(served) AS served,
    sum(impressions) AS impressions, sum(measured) AS measured, sum(viewable) AS viewable,
    sum(clicks) AS clicks, sum(net_impressions) AS net_impressions, sum(net_measured) AS net_measured,
    sum(net_viewable) AS net_viewable, sum(net_clicks) AS net_clicks
FROM advert_views GROUP BY ALL

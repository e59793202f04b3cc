/*
title = "Delivery"
doc = "What became of each campaign's adverts: asked for, served, begun to render, known to be viewable or not, viewable by the MRC's rule, clicked; of all events, and net_ of those that no rule of invalid traffic speaks against. Only of those who allowed advert measurement. A request for which nothing was served has no campaign: (none)."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "ad_campaign"]
sums = ["requests", "served", "impressions", "measured", "viewable", "clicks", "net_impressions", "net_measured", "net_viewable", "net_clicks"]
fold = ["ad_campaign"]

[caps]
cells = 50
requests = 500
served = 500
impressions = 500
measured = 500
viewable = 500
clicks = 20
net_impressions = 500
net_measured = 500
net_viewable = 500
net_clicks = 20
*/
SELECT site, day, coalesce(ad_campaign, '(none)') AS ad_campaign, person, sum(requests) AS requests,
    sum(served) AS served, sum(impressions) AS impressions, sum(measured) AS measured,
    sum(viewable) AS viewable, sum(clicks) AS clicks, sum(net_impressions) AS net_impressions,
    sum(net_measured) AS net_measured, sum(net_viewable) AS net_viewable, sum(net_clicks) AS net_clicks
FROM advert_views GROUP BY ALL

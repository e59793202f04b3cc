/*
title = "Adverts"
doc = "Impressions begun to render, impressions viewable by the MRC's rule, and clicks, of those who allowed advert measurement. People are known by another pseudonym than on the site. Not filled in: (none)."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "ad_slot", "ad_campaign", "ad_creative"]
sums = ["impressions", "viewable", "clicks"]
fold = ["ad_campaign", "ad_creative", "ad_slot"]

[caps]
cells = 50
impressions = 200
viewable = 200
clicks = 20
*/
SELECT site, day, coalesce(ad_slot, '(none)') AS ad_slot, coalesce(ad_campaign, '(none)') AS ad_campaign,
    coalesce(ad_creative, '(none)') AS ad_creative, person,
    count(*) FILTER (type = 'ad_impression') AS impressions,
    count(*) FILTER (type = 'ad_viewable') AS viewable,
    count(*) FILTER (type = 'ad_click') AS clicks
FROM events WHERE type IN ('ad_impression', 'ad_viewable', 'ad_click') GROUP BY ALL

/*
title = "Adverts"
doc = "Impressions begun to render, impressions viewable by the MRC's rule, and clicks, of those who allowed advert measurement."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "ad_slot", "ad_campaign", "ad_creative"]
sums = ["impressions", "viewable", "clicks"]
fold = ["ad_slot", "ad_campaign", "ad_creative"]
*/
SELECT site, day, coalesce(ad_slot, '') AS ad_slot, coalesce(ad_campaign, '') AS ad_campaign,
    coalesce(ad_creative, '') AS ad_creative, person,
    count(*) FILTER (type = 'ad_impression') AS impressions,
    count(*) FILTER (type = 'ad_viewable') AS viewable,
    count(*) FILTER (type = 'ad_click') AS clicks
FROM events WHERE type IN ('ad_impression', 'ad_viewable', 'ad_click') GROUP BY ALL

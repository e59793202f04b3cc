/*
title = "Advert business"
doc = "Impressions begun to render, impressions viewable by the MRC's rule, and clicks, of those who allowed advert measurement. People are known by another pseudonym than on the site."
owner = "investors"
audiences = ["investors", "advertiser"]
purpose = "ad_measurement"
keys = ["site", "month"]
cells = 1

[people]
name = "people"
says = "people who were shown one; who has no identifier is one a day"
most = 1
weight = 4

[[numbers]]
name = "impressions"
says = "impressions begun to render"
most = 20
weight = 40

[[numbers]]
name = "viewable"
says = "impressions that were viewable"
most = 20
weight = 40

[[numbers]]
name = "clicks"
says = "clicks on adverts"
most = 3
weight = 30
*/
SELECT site, strftime(day, '%Y-%m') AS month, person,
    count(*) FILTER (type = 'ad_impression') AS impressions,
    count(*) FILTER (type = 'ad_viewable') AS viewable,
    count(*) FILTER (type = 'ad_click') AS clicks
FROM events WHERE type IN ('ad_impression', 'ad_viewable', 'ad_click') GROUP BY ALL

/*
title = "Adverts by the hour"
doc = "Impressions begun to render and clicks of each campaign by the hour (UTC), and what each counts as: counted; or why an advertiser may count it and we do not, or the other way round: not viewable, duplicate (the same view fired again), late (told more than a day after). For comparing totals with an advertiser, without exchanging events."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "ad_campaign", "deed", "counted_as", "utc_hour"]
sums = ["n"]
fold = ["ad_campaign", "deed", "counted_as", "utc_hour"]

[caps]
cells = 50
n = 50
*/
WITH shown AS (
    SELECT site, day, coalesce(ad_campaign, '(none)') AS ad_campaign, person, ad_view, received, time,
        CASE type WHEN 'ad_impression' THEN 'impression' ELSE 'click' END AS deed,
        row_number() OVER (PARTITION BY site, day, person, type, ad_campaign, ad_view ORDER BY time) AS nth,
        count(*) FILTER (type = 'ad_viewable') OVER (PARTITION BY site, day, person, ad_campaign, ad_view) AS seen,
        type
    FROM events WHERE type IN ('ad_impression', 'ad_viewable', 'ad_click')
)
SELECT site, day, ad_campaign, deed, CASE WHEN ad_view IS NOT NULL AND nth > 1 THEN 'duplicate'
        WHEN received - time > INTERVAL 1 DAY THEN 'late'
        WHEN type = 'ad_impression' AND ad_view IS NOT NULL AND seen = 0 THEN 'not viewable'
        ELSE 'counted' END AS counted_as,
    strftime(time, '%Y-%m-%dT%H') AS utc_hour, person, count(*) AS n
FROM shown WHERE type <> 'ad_viewable' GROUP BY ALL

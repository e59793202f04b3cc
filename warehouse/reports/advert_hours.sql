/*
title = "Adverts by the hour"
doc = "Impressions begun to render and clicks of each campaign by the hour (UTC), and what each counts as: counted; or why an advertiser may count it and we do not, or the other way round: robot (by the rules of invalid traffic), invalid (by another of them), duplicate (fired again), late (told more than a day after), not viewable. For comparing totals with an advertiser, without exchanging events."
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
        count(*) FILTER (type = 'ad_viewable') OVER (PARTITION BY site, day, person, ad_campaign, ad_view) AS seen,
        type, invalid
    FROM adverts WHERE type IN ('ad_impression', 'ad_viewable', 'ad_click')
)
SELECT site, day, ad_campaign, deed, CASE WHEN invalid IN ('duplicate', 'duplicate_click') THEN 'duplicate'
        WHEN invalid IN ('automation', 'not_a_browser', 'impossible_agent', 'data_centre') THEN 'robot'
        WHEN invalid IS NOT NULL THEN 'invalid'
        WHEN received - time > INTERVAL 1 DAY THEN 'late'
        WHEN type = 'ad_impression' AND ad_view IS NOT NULL AND seen = 0 THEN 'not viewable'
        ELSE 'counted' END AS counted_as,
    strftime(time, '%Y-%m-%dT%H') AS utc_hour, person, count(*) AS n
FROM shown WHERE type <> 'ad_viewable' GROUP BY ALL

/*
title = "Time in view"
doc = "How long adverts were in view, how much of them, and of which size: views by band of seconds and of the largest share in percent, of those that ended, and of all that began to render or ended by size (one that the IAB lists, or tiny, small, medium, large; (none): not told). Valid traffic only; of those who allowed advert measurement. A view whose end was not told, as when the browser was closed at once, is only in its size."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "ad_campaign", "measure", "band"]
sums = ["ended", "impressions", "viewable"]
fold = ["ad_campaign", "measure", "band"]

[caps]
cells = 200
ended = 200
impressions = 200
viewable = 200
*/
WITH valid AS (
    SELECT site, day, person, type, ad_campaign, ad_size, duration_ms, ad_share, ad_view,
        CASE WHEN ad_view IS NULL THEN row_number() OVER () END AS alone
    FROM adverts WHERE type IN ('ad_impression', 'ad_viewable', 'ad_engagement') AND invalid IS NULL
), views AS (
    SELECT site, day, person, coalesce(max(ad_campaign), '(none)') AS ad_campaign,
        coalesce(max(ad_size), '(none)') AS size, max(duration_ms) FILTER (type = 'ad_engagement') / 1000 AS seconds,
        max(ad_share) FILTER (type = 'ad_engagement') AS share,
        count(*) FILTER (type = 'ad_engagement') AS ended,
        count(*) FILTER (type = 'ad_impression') AS impressions,
        count(*) FILTER (type = 'ad_viewable') AS viewable
    FROM valid GROUP BY site, day, person, ad_view, alone
), banded AS (
    SELECT *, 'seconds' AS measure, CASE WHEN seconds < 1 THEN '0-1'
        WHEN seconds < 2 THEN '1-2' WHEN seconds < 5 THEN '2-5' WHEN seconds < 10 THEN '5-10'
        WHEN seconds < 30 THEN '10-30' WHEN seconds < 60 THEN '30-60' ELSE '60+' END AS band
    FROM views WHERE seconds IS NOT NULL
    UNION ALL BY NAME
    SELECT *, 'share' AS measure, CASE WHEN share = 0 THEN '0'
        WHEN share < 30 THEN '1-29' WHEN share < 50 THEN '30-49' WHEN share < 75 THEN '50-74'
        WHEN share < 100 THEN '75-99' ELSE '100' END AS band
    FROM views WHERE share IS NOT NULL
    UNION ALL BY NAME
    SELECT *, 'size' AS measure, size AS band FROM views WHERE ended + impressions > 0
)
SELECT site, day, ad_campaign, measure, band, person, sum(ended) AS ended, sum(impressions) AS impressions,
    sum(viewable) AS viewable
FROM banded GROUP BY ALL

/*
title = "Time in view"
doc = "How long adverts were in view, and how much of them: the views that ended, by band of seconds and of the largest share in percent. Valid traffic only; of those who allowed advert measurement. A view whose end was not told, as when the browser was closed at once, is not in it."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "ad_campaign", "measure", "band"]
sums = ["ended"]
fold = ["ad_campaign", "measure", "band"]

[caps]
cells = 200
ended = 200
*/
WITH ends AS (
    SELECT site, day, person, coalesce(ad_campaign, '(none)') AS ad_campaign,
        duration_ms / 1000 AS seconds, ad_share AS share
    FROM adverts WHERE type = 'ad_engagement' AND invalid IS NULL
), banded AS (
    SELECT site, day, person, ad_campaign, 'seconds' AS measure, CASE WHEN seconds < 1 THEN '0-1'
        WHEN seconds < 2 THEN '1-2' WHEN seconds < 5 THEN '2-5' WHEN seconds < 10 THEN '5-10'
        WHEN seconds < 30 THEN '10-30' WHEN seconds < 60 THEN '30-60' ELSE '60+' END AS band
    FROM ends WHERE seconds IS NOT NULL
    UNION ALL BY NAME
    SELECT site, day, person, ad_campaign, 'share' AS measure, CASE WHEN share = 0 THEN '0'
        WHEN share < 30 THEN '1-29' WHEN share < 50 THEN '30-49' WHEN share < 75 THEN '50-74'
        WHEN share < 100 THEN '75-99' ELSE '100' END AS band
    FROM ends WHERE share IS NOT NULL
)
SELECT site, day, ad_campaign, measure, band, person, count(*) AS ended FROM banded GROUP BY ALL

/*
title = "Contact pressure"
doc = "How many impressions of whatever campaign one person had in a week (Monday to Sunday): people and their impressions, by band. Only of people with an identifier who allowed advert measurement: others are other people every day. Days on which few people saw a campaign are left out."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "week", "band"]
sums = ["impressions"]
grain = "all"
within = ["site", "week"]
fold = ["band"]

[caps]
cells = 1
impressions = 1000
*/
WITH pressed AS (
    SELECT site, date_trunc('week', day)::DATE AS week, person, sum(impressions) AS impressions
    FROM contacts WHERE known GROUP BY ALL
)
SELECT site, week, CASE WHEN impressions <= 2 THEN '1-2' WHEN impressions <= 5 THEN '3-5'
    WHEN impressions <= 10 THEN '6-10' WHEN impressions <= 20 THEN '11-20' WHEN impressions <= 40 THEN '21-40'
    WHEN impressions <= 80 THEN '41-80' ELSE '81+' END AS band, person, impressions
FROM pressed

/*
title = "Contact pressure"
doc = "How many impressions of whatever campaign one person had in a week (Monday to Sunday), net of invalid traffic: people by band, and their impressions, all of them and net. Who had no valid one is in no row. Only of people with an identifier who allowed advert measurement: others are other people every day. Days on which few people saw a campaign are left out."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "week", "band"]
sums = ["impressions", "net_impressions"]
grain = "all"
within = ["site", "week"]
fold = ["band"]

[caps]
cells = 1
impressions = 1000
net_impressions = 1000
*/
WITH pressed AS (
    SELECT site, date_trunc('week', day)::DATE AS week, person, sum(impressions) AS impressions,
        sum(net_impressions) AS net_impressions
    FROM contacts WHERE known GROUP BY ALL
)
SELECT site, week, CASE WHEN net_impressions <= 2 THEN '1-2' WHEN net_impressions <= 5 THEN '3-5'
    WHEN net_impressions <= 10 THEN '6-10' WHEN net_impressions <= 20 THEN '11-20'
    WHEN net_impressions <= 40 THEN '21-40' WHEN net_impressions <= 80 THEN '41-80' ELSE '81+' END AS band,
    person, impressions, net_impressions
FROM pressed WHERE net_impressions > 0

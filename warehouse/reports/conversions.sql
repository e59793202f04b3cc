/*
title = "Conversions"
doc = "What people ordered, by goal and by the campaign that the order itself names: orders (each number counts once, whoever tells it again), what they were worth in whole units, how many of them were given back in part or wholly and how much of their worth, and how often an order was told again. Given back counts on the day of the order. Not named: (none)."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "ad_goal", "ad_campaign"]
sums = ["conversions", "value", "refunds", "refunded", "duplicates"]
fold = ["ad_goal", "ad_campaign"]

[caps]
cells = 10
conversions = 10
value = 5000
refunds = 10
refunded = 5000
duplicates = 10
*/
SELECT site, day, goal AS ad_goal, campaign AS ad_campaign, person,
    count(*) FILTER (counts) AS conversions, coalesce(sum(value) FILTER (counts), 0) AS value,
    count(*) FILTER (refunded) AS refunds, coalesce(sum(given) FILTER (counts), 0) AS refunded,
    count(*) FILTER (NOT counts) AS duplicates
FROM orders GROUP BY site, day, goal, campaign, person

/*
title = "Ways to an order"
doc = "People of a day by the campaigns that they had touched (the latest four, by name), and what they ordered then: what data-driven attribution is reckoned from, and nothing finer. Who saw something that day and ordered nothing: (none). Orders that no campaign led to: (unattributed)."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "campaigns", "ad_goal"]
sums = ["conversions"]
fold = ["campaigns", "ad_goal"]

[caps]
cells = 5
conversions = 10
*/
SELECT site, day, campaigns, goal AS ad_goal, person, sum(orders)::BIGINT AS conversions
FROM ways GROUP BY site, day, campaigns, goal, person

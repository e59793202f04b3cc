/*
title = "Exposed and held out"
doc = "People of a campaign's experiment: on the day that they came into their group (entered), and on that of their first order since, within 30 days (ordered). Orders of those held out would have come without the campaign."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "ad_campaign", "ad_group", "stage"]
sums = ["n"]
fold = ["ad_campaign", "ad_group", "stage"]

[caps]
cells = 20
n = 1
*/
SELECT site, day, campaign AS ad_campaign, part AS ad_group, stage, person, count(*) AS n
FROM labels GROUP BY site, day, campaign, part, stage, person

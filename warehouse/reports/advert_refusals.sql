/*
title = "Refused adverts by the hour"
doc = "Impressions and clicks of each campaign that were refused as a robot's, for want of consent or by a signal, by the hour (UTC): what is in no other table by the hour, and may be counted by an advertiser. Counts of requests, not of people; with advert_hours, for comparing totals. What was refused otherwise is in advert_balance."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "ad_campaign", "deed", "counted_as", "utc_hour"]
sums = ["n"]
people = false
fold = ["ad_campaign", "deed", "counted_as", "utc_hour"]
*/
SELECT site, day, coalesce(nullif(campaign, ''), '(none)') AS ad_campaign,
    CASE event WHEN 'ad_impression' THEN 'impression' ELSE 'click' END AS deed, reason AS counted_as,
    detail AS utc_hour, sum(n) AS n
FROM received WHERE outcome = 'hourly' GROUP BY ALL HAVING sum(n) > 0

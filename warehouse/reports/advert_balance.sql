/*
title = "Balance of adverts"
doc = "What became of every advert event that was received, by campaign: stored, or refused for consent, a signal, a robot, a retry, and so on. Received is the sum of all rows. Counts of events, not of people. A campaign that is no id of a catalogue, or one of too many in a day, is (other); (none) named none."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "event", "ad_campaign", "reason"]
sums = ["n"]
people = false
fold = ["event", "ad_campaign", "reason"]
*/
SELECT site, day, event, coalesce(nullif(campaign, ''), '(none)') AS ad_campaign,
    CASE outcome WHEN 'stored' THEN 'stored' ELSE reason END AS reason, sum(n) AS n
FROM received WHERE outcome IN ('stored', 'refused') AND event <> '' GROUP BY ALL HAVING sum(n) > 0

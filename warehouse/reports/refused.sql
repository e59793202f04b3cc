/*
title = "Refused, and why"
doc = "Events that were not kept: consent, signal, robot, duplicate, invalid, late or erased, with the rule or the list that said so. Counts of events, not of people."
owner = "privacy"
purpose = "measurement"
keys = ["site", "day", "protocol", "country", "reason", "detail"]
sums = ["n"]
people = false
fold = ["reason", "detail", "protocol", "country"]
total = ["balance"]
*/
SELECT site, day, protocol, country, reason, detail, sum(n) AS n
FROM received WHERE outcome = 'refused' GROUP BY ALL HAVING sum(n) > 0

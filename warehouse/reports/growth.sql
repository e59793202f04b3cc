/*
title = "Growth"
doc = "By week (Monday to Sunday) and by month: the sum of the published days. People are counted once a day, as without an identifier nobody can be known again on the next; so the trend does not move with the share of those who allow one."
owner = "investors"
purpose = "measurement"
keys = ["site", "period", "begins"]
sums = ["views", "events"]
grain = "all"
within = ["site", "period", "begins"]

[caps]
views = 1000
events = 5000
*/
SELECT site, period, date_trunc(period, day)::DATE AS begins, hash(person, day) AS person, views, events
FROM days, (VALUES ('week'), ('month')) AS p(period)

/*
title = "Growth"
doc = "By week (Monday to Sunday) and by month. Someone without an identifier is one person a day, so that people here are persons and person-days."
owner = "investors"
purpose = "measurement"
keys = ["site", "period", "begins"]
sums = ["views", "events"]
grain = "all"
within = ["site", "period"]
*/
SELECT site, period, date_trunc(period, day)::DATE AS begins, person, sum(views) AS views, sum(events) AS events
FROM days, (VALUES ('week'), ('month')) AS p(period)
GROUP BY ALL

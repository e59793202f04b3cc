/*
title = "Events"
doc = "Custom events, clicks and forms, by name."
owner = "product"
purpose = "measurement"
keys = ["site", "day", "type", "name"]
sums = ["events"]
fold = ["type", "name"]
*/
SELECT site, day, type, coalesce(name, '') AS name, person, count(*) AS events
FROM events WHERE type IN ('event', 'click') GROUP BY ALL

/*
title = "Events"
doc = "Everything but page views: custom events, clicks and forms by name, and what the page reports by itself. Without a name: (none)."
owner = "product"
purpose = "measurement"
keys = ["site", "day", "type", "name"]
sums = ["events"]
fold = ["type", "name"]

[caps]
cells = 50
events = 1000
*/
SELECT site, day, type, coalesce(name, '(none)') AS name, person, count(*) AS events
FROM events WHERE type <> 'page_view' GROUP BY ALL

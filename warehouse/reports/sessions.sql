/*
title = "Visits"
doc = "A visit ends after half an hour without an event, and at the site's midnight. It bounced when it had one page view and nothing that the visitor did."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day"]
sums = ["visits", "bounces", "duration_ms", "views"]

[caps]
visits = 48
bounces = 48
duration_ms = 43_200_000
views = 1000
*/
SELECT site, day, person, count(*) AS visits, sum(bounced) AS bounces,
    sum(duration_ms) AS duration_ms, sum(views) AS views
FROM visits GROUP BY ALL

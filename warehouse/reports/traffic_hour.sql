/*
title = "Traffic by hour"
doc = "The hour is the site's own, also where it is half an hour off; in autumn one hour comes twice and counts as one, in spring one does not come."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "hour"]
sums = ["views", "events"]
total = ["traffic_day"]

[caps]
cells = 24
views = 500
events = 2000
*/
SELECT site, day, hour(local)::INTEGER AS hour, person,
    count(*) FILTER (type = 'page_view') AS views, count(*) AS events
FROM events GROUP BY ALL

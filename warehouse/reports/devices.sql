/*
title = "Devices"
doc = "Desktop, mobile, tablet and others."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "device"]
sums = ["views", "events"]
fold = ["device"]
total = ["traffic_day"]

[caps]
cells = 4
views = 1000
events = 5000
*/
SELECT site, day, coalesce(device, 'other') AS device, person,
    sum(views) AS views, sum(events) AS events
FROM profiles GROUP BY ALL

/*
title = "Devices"
doc = "Desktop, mobile, tablet and others."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "device"]
sums = ["views", "events"]
fold = ["device"]
*/
SELECT site, day, coalesce(device, 'other') AS device, person,
    count(*) FILTER (type = 'page_view') AS views, count(*) AS events
FROM events GROUP BY ALL

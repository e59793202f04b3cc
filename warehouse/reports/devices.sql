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
    sum(views) AS views, sum(events) AS events
FROM profiles GROUP BY ALL

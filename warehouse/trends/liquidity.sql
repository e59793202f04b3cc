/*
title = "Liquidity"
doc = "Tasks posted, bids placed and bids accepted (hires): the custom events of these names, by who did them."
owner = "investors"
purpose = "measurement"
keys = ["site", "month", "step"]
cells = 3

[spaces]
step = ["task_posted", "bid_placed", "bid_accepted"]

[people]
name = "people"
says = "people who did so in that month"
most = 1
weight = 12

[[numbers]]
name = "done"
says = "how often"
most = 10
weight = 60
*/
SELECT site, strftime(day, '%Y-%m') AS month, name AS step, person, count(*) AS done
FROM events WHERE type = 'event' AND name IN ('task_posted', 'bid_placed', 'bid_accepted') GROUP BY ALL

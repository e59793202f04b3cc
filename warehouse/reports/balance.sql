/*
title = "Balance"
doc = "Received = stored + refused, of each day: everything that came in is accounted for."
owner = "privacy"
purpose = "measurement"
keys = ["site", "day"]
sums = ["received", "stored", "refused"]
people = false
within = ["site"]
*/
SELECT site, day, coalesce(sum(n) FILTER (outcome = 'received'), 0) AS received,
    coalesce(sum(n) FILTER (outcome = 'stored'), 0) AS stored,
    coalesce(sum(n) FILTER (outcome = 'refused'), 0) AS refused
FROM received GROUP BY ALL

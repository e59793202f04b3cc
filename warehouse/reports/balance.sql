/*
title = "Balance"
doc = "Received = stored + refused, of each day and site: everything that came in is accounted for. Counts of events, not of people; a site of '' is what could not be read."
owner = "privacy"
purpose = "measurement"
keys = ["site", "day"]
sums = ["received", "stored", "refused"]
people = false
*/
SELECT site, day, coalesce(sum(n) FILTER (outcome = 'received'), 0) AS received,
    coalesce(sum(n) FILTER (outcome = 'stored'), 0) AS stored,
    coalesce(sum(n) FILTER (outcome = 'refused'), 0) AS refused
FROM received GROUP BY ALL

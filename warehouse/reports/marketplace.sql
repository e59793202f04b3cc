/*
title = "Marketplace"
doc = "Bids, hires, ratings, payments and messages by category: events, the people whose events they are, and those on the other side. Without a declared category: (none)."
owner = "product"
purpose = "measurement"
keys = ["site", "day", "deal", "category"]
sums = ["deals"]
within = ["site", "day", "deal"]
fold = ["category"]
sides = ["person", "counterpart"]

[caps]
cells = 10
deals = 20
*/
SELECT site, day, replace(name, '_', ' ') AS deal, coalesce(category, '(none)') AS category, person, side,
    count(*) FILTER (side = 0) AS deals
FROM deals WHERE name <> 'task_posted' GROUP BY ALL

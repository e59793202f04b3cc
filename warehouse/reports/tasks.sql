/*
title = "Tasks posted"
doc = "Tasks that were posted on the marketplace, by category, and who posted them. Without a declared category: (none)."
owner = "product"
purpose = "measurement"
keys = ["site", "day", "category"]
sums = ["tasks"]
fold = ["category"]

[caps]
cells = 10
tasks = 20
*/
SELECT site, day, coalesce(category, '(none)') AS category, person, count(*) AS tasks
FROM deals WHERE name = 'task_posted' AND side = 0 GROUP BY ALL

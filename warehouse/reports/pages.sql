/*
title = "Pages"
doc = "Page views, time in view and deepest scroll by templated path. Pages that few people saw are one row. scrolled / scrolls is the mean depth in percent."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "path"]
sums = ["views", "duration_ms", "scrolled", "scrolls"]
fold = ["path"]

[caps]
cells = 100
views = 200
duration_ms = 14_400_000
scrolled = 20_000
scrolls = 200
*/
SELECT site, day, coalesce(path, '(none)') AS path, person,
    count(*) FILTER (type = 'page_view') AS views,
    coalesce(sum(duration_ms) FILTER (type = 'engagement'), 0) AS duration_ms,
    coalesce(sum(scroll) FILTER (type = 'engagement'), 0) AS scrolled,
    count(scroll) FILTER (type = 'engagement') AS scrolls
FROM events WHERE type IN ('page_view', 'engagement') GROUP BY ALL

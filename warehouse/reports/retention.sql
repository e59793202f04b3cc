/*
title = "Weekly retention"
doc = "Of the people first seen in a week (Monday to Sunday), who allowed an identifier: how many came again so many weeks later. Week 0 is all of them. Those first seen on a day whose new people are not published are left out."
owner = "product"
purpose = "measurement"
keys = ["site", "cohort_week", "week_offset"]
sums = ["events"]
grain = "all"
within = ["site", "cohort_week"]
nested = "first"

[caps]
cells = 54
events = 10_000
*/
SELECT site, date_trunc('week', f.first)::DATE AS cohort_week,
    (date_diff('day', date_trunc('week', f.first)::DATE, date_trunc('week', d.day)::DATE) // 7)::INTEGER AS week_offset,
    person, sum(d.events) AS events
FROM days d JOIN firsts f USING (site, person) WHERE f.grouped GROUP BY ALL

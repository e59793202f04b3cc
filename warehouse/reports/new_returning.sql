/*
title = "New and returning"
doc = "Only people who allowed an identifier can be known again; without one, a person is of unknown kind."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "kind"]
sums = ["events"]
grain = "all"
*/
SELECT d.site, d.day,
    CASE WHEN d.treatment <> 'identified' THEN 'unknown' WHEN d.day = f.first THEN 'new' ELSE 'returning' END AS kind,
    d.person, sum(d.events) AS events
FROM days d LEFT JOIN firsts f USING (site, person)
GROUP BY ALL

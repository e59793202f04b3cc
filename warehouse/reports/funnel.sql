/*
title = "From sign-up to hire"
doc = "Of each week (Monday to Sunday), people who signed up, of these those who then posted a project, of these those who then had a bid, and then hired; all within the week. Someone without an identifier can only be followed within a day. What too few did on a day is not counted."
owner = "product"
purpose = "measurement"
keys = ["site", "week", "step", "name"]
sums = ["events"]
grain = "all"
within = ["site", "week"]
nested = "previous"

[caps]
cells = 4
events = 100
*/
WITH did AS (
    SELECT site, date_trunc('week', day)::DATE AS week, person, name, time FROM steps
    WHERE name IN ('sign_up', 'post_project', 'bid_placed', 'hired')
),
a AS (SELECT site, week, person, min(time) AS at, count(*) AS events FROM did WHERE name = 'sign_up' GROUP BY ALL),
b AS (
    SELECT site, week, person, min(time) AS at, count(*) AS events FROM did JOIN a USING (site, week, person)
    WHERE name = 'post_project' AND time >= a.at GROUP BY ALL
),
c AS (
    SELECT site, week, person, min(time) AS at, count(*) AS events FROM did JOIN b USING (site, week, person)
    WHERE name = 'bid_placed' AND time >= b.at GROUP BY ALL
),
d AS (
    SELECT site, week, person, min(time) AS at, count(*) AS events FROM did JOIN c USING (site, week, person)
    WHERE name = 'hired' AND time >= c.at GROUP BY ALL
)
SELECT site, week, 1 AS step, 'sign_up' AS name, person, events FROM a
UNION ALL SELECT site, week, 2, 'post_project', person, events FROM b
UNION ALL SELECT site, week, 3, 'bid_placed', person, events FROM c
UNION ALL SELECT site, week, 4, 'hired', person, events FROM d

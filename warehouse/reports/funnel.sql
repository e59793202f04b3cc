/*
title = "From sign-up to hire"
doc = "People who took each step in a week, and how many of them had taken every step before it, earlier in that week."
owner = "product"
purpose = "measurement"
keys = ["site", "week", "step", "name"]
sums = ["in_order"]
grain = "all"
within = ["site", "week"]
*/
WITH reached AS (
    SELECT site, date_trunc('week', day)::DATE AS week, person,
        min(time) FILTER (name = 'sign_up') AS a, min(time) FILTER (name = 'post_project') AS b,
        min(time) FILTER (name = 'bid_placed') AS c, min(time) FILTER (name = 'hired') AS d
    FROM steps GROUP BY ALL
)
SELECT site, week, 1 AS step, 'sign_up' AS name, person, 1 AS in_order FROM reached WHERE a IS NOT NULL
UNION ALL SELECT site, week, 2, 'post_project', person, coalesce(b >= a, false)::INTEGER FROM reached WHERE b IS NOT NULL
UNION ALL SELECT site, week, 3, 'bid_placed', person, coalesce(c >= b AND b >= a, false)::INTEGER FROM reached WHERE c IS NOT NULL
UNION ALL SELECT site, week, 4, 'hired', person, coalesce(d >= c AND c >= b AND b >= a, false)::INTEGER FROM reached WHERE d IS NOT NULL

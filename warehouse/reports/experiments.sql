/*
title = "Experiments"
doc = "People of each variant of an experiment over all of its days (step 0), and of these those who did something by its name within 30 days since they first saw it (step 1). known: people with an identifier. unknown: all others, who are other people every day, and are followed on that day alone. Who has seen several variants is in the variant (several), and reached nothing. Days on which few saw an experiment, and what few did on a day, are not counted."
owner = "product"
purpose = "measurement"
keys = ["site", "begins", "experiment", "variant", "kind", "step", "goal"]
sums = ["events"]
grain = "all"
within = ["site", "begins", "experiment", "variant", "kind"]
nested = "first"
beside = ["site", "begins", "experiment"]

[elsewhere]
report = "custom_events"
type = "event"
name = "experiment"

[caps]
cells = 41
events = 100
*/
WITH seen AS (
    SELECT site, begins, experiment, person, min(time) AS at, count(*) AS times,
        CASE WHEN min(variant) = max(variant) THEN min(variant) ELSE '(several)' END AS variant,
        CASE WHEN bool_or(known) THEN 'known' ELSE 'unknown' END AS kind
    FROM trials GROUP BY ALL
)
SELECT site, begins, experiment, variant, kind, 0 AS step, '(assigned)' AS goal, person, times AS events
FROM seen
UNION ALL BY NAME
SELECT site, begins, experiment, variant, kind, 1 AS step, s.name AS goal, person, count(*) AS events
FROM seen JOIN steps s USING (site, person)
WHERE variant <> '(several)' AND s.name <> 'experiment' AND s.time >= seen.at
    AND s.time < seen.at + INTERVAL 30 DAY
GROUP BY ALL

/*
title = "Growth of the user base"
doc = "People by month. Known ones have allowed an identifier and are one person however often they come, for as long as that lasts; new ones are those seen for the first time in the facts that are kept. Who allows none cannot be known again on the next day and is one passer-by each day: they are told apart, and not to be added to the others."
owner = "investors"
audiences = ["investors", "advertiser", "partner", "public"]
purpose = "measurement"
keys = ["site", "month"]
cells = 1

[people]
name = "people"
says = "known people, and passers-by of each day"
most = 1
weight = 2

[[numbers]]
name = "known"
says = "people with an identifier who came in that month"
most = 1
weight = 6

[[numbers]]
name = "fresh"
says = "those of them who were never seen before"
most = 1
weight = 6
*/
SELECT site, month, person, identified::INT AS known, coalesce(identified AND strftime(first, '%Y-%m') = month, false)::INT AS fresh
FROM (
    SELECT site, strftime(day, '%Y-%m') AS month, person, bool_or(treatment = 'identified') AS identified FROM events GROUP BY ALL
) LEFT JOIN firsts USING (site, person)

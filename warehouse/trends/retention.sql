/*
title = "Retention"
doc = "Of the people first seen in a month (the cohort), who allowed an identifier: how many came in this month. Cohorts of the year before the period and of its own months; who was first seen before the facts that are kept begin is of the first month that is kept."
owner = "investors"
purpose = "measurement"
keys = ["site", "month", "cohort"]
cells = 1

[spaces]
cohort = "cohorts"

[people]
name = "people"
says = "people of the cohort who came in that month"
most = 1
weight = 16
*/
SELECT site, strftime(day, '%Y-%m') AS month, strftime(first, '%Y-%m') AS cohort, person
FROM events JOIN firsts USING (site, person) WHERE treatment = 'identified' GROUP BY ALL

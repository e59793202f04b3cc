/*
title = "Acquisition"
doc = "Visits by where their first page was come to from. internal: back after a pause, from a page of the site. Whoever came from more than three kinds of source in a month counts in the three of most visits."
owner = "investors"
audiences = ["investors", "partner"]
purpose = "measurement"
keys = ["site", "month", "source"]
cells = 3

[spaces]
source = ["search", "social", "mail", "referral", "direct", "internal", "campaign"]

[people]
name = "people"
says = "people who came from there; who has no identifier is one a day"
most = 1
weight = 24

[[numbers]]
name = "visits"
says = "visits that began there"
most = 10
weight = 60
*/
SELECT site, strftime(day, '%Y-%m') AS month, coalesce(referrer_group, 'direct') AS source, person, count(*) AS visits
FROM visits GROUP BY ALL

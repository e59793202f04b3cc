/*
title = "Referring sites"
doc = "Hosts from whose pages people came, where so many did that the group may be shown at all. Which hosts there are nobody knows beforehand: they are chosen in private, and how many are not shown is not told."
owner = "investors"
purpose = "measurement"
keys = ["site", "month", "host"]
cells = 3

[spaces]
host = "open"

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
SELECT site, strftime(day, '%Y-%m') AS month, referrer_host AS host, person, count(*) AS visits
FROM visits WHERE referrer_host IS NOT NULL AND referrer_group IS DISTINCT FROM 'internal' GROUP BY ALL

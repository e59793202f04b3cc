/*
title = "Geography"
doc = "By the address, which is forgotten at once. Approximate: where an address is registered, not where its user is. ZZ is unknown. Whoever was in more than two countries in a month counts in the two of most views."
owner = "investors"
audiences = ["investors", "advertiser", "partner"]
purpose = "measurement"
keys = ["site", "month", "country"]
cells = 2

[spaces]
country = "countries"

[people]
name = "people"
says = "people seen there; who has no identifier is one a day"
most = 1
weight = 16

[[numbers]]
name = "views"
says = "page views"
most = 50
weight = 60
*/
SELECT site, strftime(day, '%Y-%m') AS month, coalesce(country, 'ZZ') AS country, person, sum(views) AS views
FROM profiles GROUP BY ALL

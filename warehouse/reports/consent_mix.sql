/*
title = "Consent mix"
doc = "On which legal basis, after which signal and from where what is measured was kept. Adverts' events are not among them: they are kept for advert measurement only, and this report reads what is kept for measurement. What was not kept is in the report “Refused, and why”."
owner = "privacy"
purpose = "measurement"
keys = ["site", "day", "basis", "signal", "country"]
sums = ["views", "events"]
fold = ["country", "basis", "signal"]
total = ["traffic_day", "countries"]

[caps]
cells = 10
views = 1000
events = 5000
*/
SELECT site, day, coalesce(basis, '(none)') AS basis, coalesce(signal, 'none') AS signal, coalesce(country, 'ZZ') AS country, person,
    sum(views) AS views, sum(events) AS events
FROM profiles GROUP BY ALL

/*
title = "Consent mix"
doc = "On which basis, after which signal and from where the stored events were kept. What was refused is in the report of that name."
owner = "privacy"
purpose = "measurement"
keys = ["site", "day", "basis", "signal", "country"]
sums = ["events"]
fold = ["basis", "signal", "country"]
*/
SELECT site, day, coalesce(basis, '') AS basis, coalesce(signal, '') AS signal,
    coalesce(country, 'ZZ') AS country, person, count(*) AS events
FROM events GROUP BY ALL

/*
title = "Speed"
doc = "How fast pages were: people of a day by the band of the middle of what they measured (LCP, INP, CLS, FCP, TTFB, load), on each page, kind of device and in each country; the three never added up. Bands 1 and 2 are good, 3 and 4 are to be improved, 5 and 6 are poor. A band of too few people is 0, so that the bands may be fewer than the people."
owner = "product"
purpose = "measurement"
keys = ["site", "day", "vital", "cut", "part"]
sums = ["band_1", "band_2", "band_3", "band_4", "band_5", "band_6"]
fold = ["vital", "cut", "part"]

[caps]
cells = 100
band_1 = 1
band_2 = 1
band_3 = 1
band_4 = 1
band_5 = 1
band_6 = 1
*/
WITH limits(vital, good, poor) AS (VALUES
    ('LCP', 2500::DOUBLE, 4000::DOUBLE), ('INP', 200, 500), ('CLS', 0.1::DOUBLE, 0.25::DOUBLE),
    ('FCP', 1800, 3000), ('TTFB', 800, 1800), ('load', 3000, 6000)
), measured AS (
    SELECT site, day, person, name AS vital, value, 'page' AS cut, coalesce(path, '(none)') AS part
    FROM events WHERE type = 'vital' AND value IS NOT NULL
    UNION ALL BY NAME
    SELECT site, day, person, name AS vital, value, 'device' AS cut, coalesce(device, 'other') AS part
    FROM events WHERE type = 'vital' AND value IS NOT NULL
    UNION ALL BY NAME
    SELECT site, day, person, name AS vital, value, 'country' AS cut, coalesce(country, 'ZZ') AS part
    FROM events WHERE type = 'vital' AND value IS NOT NULL
), typical AS (
    SELECT site, day, person, vital, cut, part, quantile_disc(value, 0.5) AS value FROM measured GROUP BY ALL
)
SELECT site, day, vital, cut, part, person,
    (value < good / 2)::BIGINT AS band_1, (value >= good / 2 AND value < good)::BIGINT AS band_2,
    (value >= good AND value < (good + poor) / 2)::BIGINT AS band_3,
    (value >= (good + poor) / 2 AND value < poor)::BIGINT AS band_4,
    (value >= poor AND value < 2 * poor)::BIGINT AS band_5, (value >= 2 * poor)::BIGINT AS band_6
FROM typical JOIN limits USING (vital)

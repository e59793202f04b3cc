/*
title = "Invalid traffic"
doc = "Advert events that were stored, by the first rule that holds them for no valid traffic: net is the rows of ground none, filtered the rows of ground general (lists and parameters) and sophisticated (how rows go together), gross all of them, and what advert_balance counts as refused besides (robots by list, consent, retries). The rules and since when they are in force: rules-N.toml; the lists of robots and their age: throng adverts invalid. Counts what allowed advert measurement, split by whether it came with an identifier; people are known by another pseudonym than on the site."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "event", "ad_campaign", "ground", "reason"]
sums = ["events", "identified", "cookieless"]
fold = ["event", "ad_campaign", "ground", "reason"]

[caps]
cells = 60
events = 1000
identified = 1000
cookieless = 1000
*/
SELECT site, day, type AS event, coalesce(ad_campaign, '(none)') AS ad_campaign,
    coalesce(ground, 'none') AS ground, coalesce(invalid, 'valid') AS reason, person, count(*) AS events,
    count(*) FILTER (treatment = 'identified') AS identified,
    count(*) FILTER (treatment <> 'identified') AS cookieless
FROM adverts GROUP BY ALL

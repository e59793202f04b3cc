/*
title = "Reach and frequency"
doc = "How many people a campaign reached on a day, in a week and in its whole flight, by how often. known: people with an identifier, each counted once, exactly; impressions are those of them. told: of all others, who are other people every day, the impressions of which the device itself said that it was the first, second, third, … of the campaign: their number in band 1 is the reach, and people means nothing. told_known: the same of people who are known, to see how far off it is. The kinds are never added. Days on which few people saw a campaign are left out."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "period", "begins", "ad_campaign", "kind", "band"]
sums = ["impressions"]
grain = "all"
within = ["site", "period", "begins", "ad_campaign", "kind"]
fold = ["band"]

[caps]
cells = 5
impressions = 1000
*/
WITH spans AS (
    SELECT site, period, CASE period WHEN 'day' THEN day WHEN 'week' THEN date_trunc('week', day)::DATE
        ELSE flight END AS begins, ad_campaign, person, known, ad_frequency, impressions
    FROM contacts, (VALUES ('day'), ('week'), ('flight')) AS p(period)
), counted AS (
    SELECT site, period, begins, ad_campaign, person, sum(impressions) AS impressions
    FROM spans WHERE known GROUP BY ALL
)
SELECT site, period, begins, ad_campaign, 'known' AS kind,
    CASE WHEN impressions < 4 THEN impressions::INTEGER::VARCHAR WHEN impressions < 7 THEN '4-6' ELSE '7+' END AS band,
    person, impressions
FROM counted
UNION ALL BY NAME
SELECT site, period, begins, ad_campaign, CASE WHEN known THEN 'told_known' ELSE 'told' END AS kind,
    ad_frequency AS band, person, sum(impressions) AS impressions
FROM spans WHERE ad_frequency IS NOT NULL GROUP BY ALL

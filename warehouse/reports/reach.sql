/*
title = "Reach and frequency"
doc = "How many people a campaign reached on a day, in a week and in its whole flight, by how often. known: people with an identifier whom at least one impression reached that no rule of invalid traffic speaks against (net), each counted once, exactly, by how many such they had. filtered: people with an identifier all of whose impressions were filtered, by how many: with known they are the gross reach. told: of all others, who are other people every day, the impressions of which the device itself said that it was the first, second, third, … of the campaign: their number in band 1 is the reach (net_impressions: net), and people means nothing. told_known: the same of people who are known, to see how far off it is. The kinds are never added. Days on which few people saw a campaign are left out."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "period", "begins", "ad_campaign", "kind", "band"]
sums = ["impressions", "net_impressions"]
grain = "all"
within = ["site", "period", "begins", "ad_campaign", "kind"]
fold = ["band"]

[caps]
cells = 5
impressions = 1000
net_impressions = 1000
*/
WITH spans AS (
    SELECT site, period, CASE period WHEN 'day' THEN day WHEN 'week' THEN date_trunc('week', day)::DATE
        ELSE flight END AS begins, ad_campaign, person, known, ad_frequency, impressions, net_impressions
    FROM contacts, (VALUES ('day'), ('week'), ('flight')) AS p(period) WHERE way = 'advert'
), counted AS (
    SELECT site, period, begins, ad_campaign, person, sum(impressions) AS impressions,
        sum(net_impressions) AS net_impressions FROM spans WHERE known GROUP BY ALL
), banded AS (
    SELECT *, CASE WHEN net_impressions > 0 THEN 'known' ELSE 'filtered' END AS kind,
        CASE WHEN net_impressions > 0 THEN net_impressions ELSE impressions END AS often FROM counted
)
SELECT site, period, begins, ad_campaign, kind,
    CASE WHEN often < 4 THEN often::INTEGER::VARCHAR WHEN often < 7 THEN '4-6' ELSE '7+' END AS band,
    person, impressions, net_impressions
FROM banded
UNION ALL BY NAME
SELECT site, period, begins, ad_campaign, CASE WHEN known THEN 'told_known' ELSE 'told' END AS kind,
    ad_frequency AS band, person, sum(impressions) AS impressions, sum(net_impressions) AS net_impressions
FROM spans WHERE ad_frequency IS NOT NULL GROUP BY ALL

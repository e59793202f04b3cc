/*
title = "Contact pressure"
doc = "How often one person was reached in a week (Monday to Sunday). Rows of kind all: impressions of whatever campaign, net of invalid traffic, and messages (mails, letters, texts, calls, notices in the account) that their sender has told of, all together: people by band. Rows of kind messages: people by band of messages alone, and by which way those came. The kinds are about the same people and are never added. Who had no valid impression and no message is in no row. Only of people with an identifier who allowed advert measurement: others are other people every day. Days on which few people saw a campaign, or were written to by a way, are left out."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "week", "kind", "band"]
sums = ["impressions", "net_impressions", "messages", "emails", "letters", "texts", "calls", "notices"]
grain = "all"
within = ["site", "week", "kind"]
fold = ["band"]

[caps]
cells = 1
impressions = 1000
net_impressions = 1000
messages = 100
emails = 100
letters = 100
texts = 100
calls = 100
notices = 100
*/
WITH pressed AS (
    SELECT site, date_trunc('week', day)::DATE AS week, person, sum(impressions) AS impressions,
        sum(net_impressions) AS net_impressions, sum(messages) AS messages,
        coalesce(sum(messages) FILTER (way = 'email'), 0) AS emails,
        coalesce(sum(messages) FILTER (way = 'post'), 0) AS letters,
        coalesce(sum(messages) FILTER (way = 'sms'), 0) AS texts,
        coalesce(sum(messages) FILTER (way = 'phone'), 0) AS calls,
        coalesce(sum(messages) FILTER (way = 'account'), 0) AS notices
    FROM contacts WHERE known GROUP BY ALL
), counted AS (
    SELECT site, week, 'all' AS kind, net_impressions + messages AS often, person, impressions, net_impressions,
        messages, 0 AS emails, 0 AS letters, 0 AS texts, 0 AS calls, 0 AS notices
    FROM pressed
    UNION ALL
    SELECT site, week, 'messages' AS kind, messages AS often, person, 0, 0, messages, emails, letters, texts,
        calls, notices
    FROM pressed
)
SELECT site, week, kind, CASE WHEN often <= 2 THEN '1-2' WHEN often <= 5 THEN '3-5'
    WHEN often <= 10 THEN '6-10' WHEN often <= 20 THEN '11-20'
    WHEN often <= 40 THEN '21-40' WHEN often <= 80 THEN '41-80' ELSE '81+' END AS band,
    person, impressions, net_impressions, messages, emails, letters, texts, calls, notices
FROM counted WHERE often > 0

/*
title = "Liquidity"
doc = "How long the first bid and an answer take, how many bids a hire had, and how much was paid and thought of it: events by band of that number. An event without one is not in it."
owner = "product"
purpose = "measurement"
keys = ["site", "day", "measure", "band"]
sums = ["deals"]
within = ["site", "day", "measure"]
sides = ["person", "counterpart"]

[caps]
cells = 11
deals = 20
*/
WITH measured(name, measure) AS (VALUES
    ('first_bid', 'hours to the first bid'), ('bid_accepted', 'bids a hire had'),
    ('message_sent', 'hours to an answer'), ('feedback_left', 'stars'), ('transaction_completed', 'amount')
)
SELECT site, day, measure, 'from ' || band::BIGINT AS band, person, side,
    count(*) FILTER (side = 0) AS deals
FROM deals JOIN measured USING (name) WHERE band IS NOT NULL GROUP BY ALL

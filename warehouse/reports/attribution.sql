/*
title = "Attribution"
doc = "To which campaigns orders are credited, by five rules: the last touch, the first, all alike, 40/20/40 by position, and by time (half as much a week before). Credits are thousandths of an order and add up to a thousand in each rule; worth is in whole units, less what was given back; orders given back wholly are not in it. People are those who touched the campaign on their way to the order. Orders that no campaign led to: (unattributed)."
owner = "advertising"
purpose = "ad_measurement"
keys = ["site", "day", "ad_goal", "ad_campaign"]
sums = ["last_touch", "first_touch", "linear", "position", "time_decay", "last_touch_value", "first_touch_value", "linear_value", "position_value", "time_decay_value"]
fold = ["ad_goal", "ad_campaign"]

[caps]
cells = 20
last_touch = 10_000
first_touch = 10_000
linear = 10_000
position = 10_000
time_decay = 10_000
last_touch_value = 5000
first_touch_value = 5000
linear_value = 5000
position_value = 5000
time_decay_value = 5000
*/
WITH weighed AS (
    SELECT site, day, person, goal, t.campaign, value - given AS value, number, n,
        (n = of)::BIGINT AS last_touch, (n = 1)::BIGINT AS first_touch, 1::BIGINT AS linear,
        CASE WHEN of <= 2 THEN 1 WHEN n = 1 OR n = of THEN 2 * (of - 2) ELSE 1 END::BIGINT AS position,
        round(pow(2, -hours / 168.0) * 1048576)::BIGINT AS time_decay
    FROM touches t JOIN orders USING (number)
    UNION ALL
    SELECT site, day, person, goal, '(unattributed)', value - given, number, 1, 1, 1, 1, 1, 1
    FROM orders ANTI JOIN touches USING (number) WHERE counts AND NOT returned
),
models AS (UNPIVOT weighed ON last_touch, first_touch, linear, position, time_decay INTO NAME model VALUE weight),
-- Of a thousand, and of the value, each touch has what is passed while its weight is laid down: nothing is lost.
laid AS (
    SELECT *, sum(weight) OVER (PARTITION BY number, model ORDER BY n) AS upto,
        sum(weight) OVER (PARTITION BY number, model) AS whole FROM models
),
shared AS (
    SELECT site, day, person, goal, campaign, model,
        (2000 * upto + whole) // (2 * whole) - (2000 * (upto - weight) + whole) // (2 * whole) AS credit,
        (2 * value * upto + whole) // (2 * whole) - (2 * value * (upto - weight) + whole) // (2 * whole) AS worth
    FROM laid
)
SELECT site, day, goal AS ad_goal, campaign AS ad_campaign, person,
    sum(credit) FILTER (model = 'last_touch')::BIGINT AS last_touch,
    sum(credit) FILTER (model = 'first_touch')::BIGINT AS first_touch,
    sum(credit) FILTER (model = 'linear')::BIGINT AS linear,
    sum(credit) FILTER (model = 'position')::BIGINT AS position,
    sum(credit) FILTER (model = 'time_decay')::BIGINT AS time_decay,
    sum(worth) FILTER (model = 'last_touch')::BIGINT AS last_touch_value,
    sum(worth) FILTER (model = 'first_touch')::BIGINT AS first_touch_value,
    sum(worth) FILTER (model = 'linear')::BIGINT AS linear_value,
    sum(worth) FILTER (model = 'position')::BIGINT AS position_value,
    sum(worth) FILTER (model = 'time_decay')::BIGINT AS time_decay_value
FROM shared GROUP BY site, day, goal, campaign, person

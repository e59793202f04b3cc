/*
title = "Referrals"
doc = "What visitors did whom a member had invited, by the way the invitation came, where the site says so with the event. A name: the site's own events, (none) for all others. Who invited whom is in no report, nor is a code."
owner = "marketing"
purpose = "measurement"
keys = ["site", "day", "referral_channel", "name"]
sums = ["events"]
fold = ["referral_channel", "name"]

[caps]
cells = 20
events = 100
*/
SELECT site, day, referral_channel, coalesce(name, '(none)') AS name, person, count(*) AS events
FROM events WHERE referral_channel IS NOT NULL GROUP BY ALL

"""Statements to begin with on the SQL page. A test runs each of them."""

from __future__ import annotations

EXAMPLES = (
    ("Visitors and views of each day", "SELECT day, people, views FROM traffic_day ORDER BY day DESC"),
    (
        "The most read pages of four weeks",
        """SELECT path, sum(views) AS views, round(sum(duration_ms) / nullif(sum(views), 0) / 1000) AS seconds
FROM pages
WHERE day > (SELECT max(day) FROM pages) - 28
GROUP BY path
ORDER BY views DESC
LIMIT 20""",
    ),
    (
        "Click-through of each campaign",
        """SELECT ad_campaign, sum(net_impressions) AS impressions, sum(net_clicks) AS clicks,
       round(100 * sum(net_clicks) / nullif(sum(net_impressions), 0), 2) AS percent
FROM delivery
GROUP BY ALL
ORDER BY impressions DESC""",
    ),
    (
        "Why events were refused",
        "SELECT reason, detail, sum(n) AS events\nFROM refused\nGROUP BY ALL\nORDER BY events DESC",
    ),
    (
        "The hours of three days of the week",
        """PIVOT traffic_hour
ON dayname(day) IN ('Monday', 'Wednesday', 'Saturday')
USING sum(views)
GROUP BY hour
ORDER BY hour""",
    ),
    ("What release did to each table", "SELECT name, title, released FROM reports"),
)

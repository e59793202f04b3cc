"""What the columns of released tables mean: comments in the database, words on the pages."""

from __future__ import annotations

from consent_filter.fields import FIELDS

#: Columns that reports make themselves. Those of EVENT are explained where they are defined.
_MADE = {
    "people": "people in the row; without an identifier, one person a day",
    "others": "people on the other side of the events in the row: sellers where people are buyers",
    "deal": "what two people did: a bid, a hire, a rating, a payment or a message between them",
    "deals": "how often they did",
    "category": "what a task is about, in a word that the site has declared; of adverts the kind of page",
    "tasks": "tasks posted",
    "hour": "hour of the site's own clock, 0 to 23",
    "week": "the Monday on which the week begins",
    "period": "day, week, month or flight: all of a campaign",
    "begins": "the first day of the period",
    "cohort_week": "the Monday of the week in which these people were first seen",
    "week_offset": "weeks since then; 0 is the week itself",
    "kind": "new, returning, or unknown where no identifier was allowed; of reach: known, filtered, told,"
    " told_known",
    "step": "number of the step, from 1",
    "reason": "why it was refused, or filtered; valid, or stored, where it was not",
    "detail": "the rule or the list that said so",
    "views": "page views",
    "visits": "visits: they end after half an hour without an event, and at the site's midnight",
    "bounces": "visits of one page view and nothing that the visitor did",
    "events": "events of every type",
    "duration_ms": "milliseconds: of a visit from its first event to its last, of a page in view",
    "scrolled": "sum of the deepest scrolls, in percent of the page's height",
    "scrolls": "how many times a deepest scroll was reported",
    "impressions": "adverts that began to render",
    "viewable": "impressions half in view for a second (MRC)",
    "requests": "slots that asked for an advert",
    "served": "adverts handed to the page, rendered or not",
    "measured": "views of which is known whether they were viewable",
    "net_impressions": "impressions that no rule of invalid traffic speaks against",
    "net_measured": "measured views that no rule of invalid traffic speaks against",
    "net_viewable": "viewable impressions that no rule of invalid traffic speaks against",
    "net_clicks": "clicks that no rule of invalid traffic speaks against",
    "ended": "views of adverts whose end was told",
    "measure": "what the number of a deal says; of views: seconds in view, largest share of it, its size",
    "band": "the band of that number, or of how often",
    "clicks": "clicks on adverts",
    "conversions": "orders; the same number of a goal counts once",
    "value": "what they were worth, in whole units of the site's currency",
    "refunds": "of these orders, those of which something was given back",
    "refunded": "how much of their worth was given back, on the day of the order",
    "duplicates": "how often an order was told again",
    "campaigns": "campaigns that people had touched by then, by name, the latest four",
    "deed": "impression (begun to render) or click",
    "counted_as": "counted, or why an advertiser may count it otherwise",
    "utc_hour": "hour in UTC",
    "stage": "entered: came into the group that day; ordered: the first order since, within 30 days",
    "last_touch": "thousandths of orders, all to the last touch",
    "first_touch": "thousandths of orders, all to the first touch",
    "linear": "thousandths of orders, to all touches alike",
    "position": "thousandths of orders: 40 % to the first touch, 40 % to the last, the rest between them",
    "time_decay": "thousandths of orders, half as much to a touch a week before",
    "last_touch_value": "worth of orders less what was given back, all to the last touch",
    "first_touch_value": "worth of orders less what was given back, all to the first touch",
    "linear_value": "worth of orders less what was given back, to all touches alike",
    "position_value": "worth of orders less what was given back: 40 % to the first touch, 40 % to the last",
    "time_decay_value": "worth of orders less what was given back, half as much to a touch a week before",
    "received": "events received",
    "stored": "events kept",
    "event": "type of an advert's event",
    "ground": "general (by lists and parameters), sophisticated (by how rows go together), or none: valid",
    "identified": "events with an identifier, which the visitor agreed to",
    "cookieless": "events without one",
    "refused": "events not kept",
    "n": "events",
}
_FIELDS = {field.name: field.doc for field in FIELDS if field.keep is not None}


def meaning(column: str) -> str:
    """A sentence about a column of a released table; empty for one that nobody has explained."""
    return _MADE.get(column) or _FIELDS.get(column, "")

"""Every column once: type, meaning, purposes that may read it, and how long it is kept.

`RAW` (memory only, before the filter) and `EVENT` (the only thing that may be written) are both derived
from `FIELDS`, so a column that nobody has named, explained and given an end cannot be collected.
"""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
from msgspec import Struct

from consent_filter.purpose import ALL, Purpose

_MEASURE = Purpose.MEASUREMENT | Purpose.RESEARCH
_ADVERT = Purpose.AD_MEASUREMENT
#: What the policy lists for impressions besides the advert itself (M32).
_SEEN = _MEASURE | _ADVERT
#: What a record needs to be a record at all, whatever purpose was granted.
_ANY = ALL

#: The longest any fact is kept; a policy pack may shorten it (M43, CNIL: 25 months).
FACTS = timedelta(days=760)
#: For as long as a client may retry; the id is then nulled (knot "de-duplication without a shuffle").
RETRY = timedelta(hours=48)


#: How a column comes to us (M41: what somebody gives, and what is collected by itself).
MODES: dict[str, str] = {
    "given": "by the visitor's own doing, through the site: a choice, a form, a click",
    "site": "by the site, about its page, its advert or its own event",
    "sent": "by the browser with every request, unasked",
    "derived": "made here from what was given or sent, which is then forgotten",
    "record": "our own note of when and by which rule",
}


class Field(Struct, frozen=True):
    """One column. `keep` is None for what may exist in memory only and never reaches a disk.

    `purposes`: the column is null on a row that was granted none of them.
    `raw`: present before the filter. A field with `keep` is present after it.
    `alone`: kept on a row without an identifier, too; where it is not, it would help to tell visitors apart
    who have agreed to nothing (M30, `entropy.py`). `mode`: one of MODES.
    """

    name: str
    type: pa.DataType
    doc: str
    purposes: Purpose = _MEASURE
    keep: timedelta | None = FACTS
    raw: bool = False
    alone: bool = True
    mode: str = "derived"


_S = pa.string()
_MS = pa.timestamp("ms")

FIELDS: tuple[Field, ...] = (
    # What a request says. Memory only, without exception.
    Field("address", _S, "the visitor's IP address", _ANY, None, raw=True, mode="sent"),
    Field("agent", _S, "the User-Agent header and client hints", _ANY, None, raw=True, mode="sent"),
    Field("url", _S, "the page's address as sent", _ANY, None, raw=True, mode="sent"),
    Field("referrer", _S, "the referrer as sent", _ANY, None, raw=True, mode="sent"),
    Field("id", _S, "the sender's own id of the event, for retries", _ANY, None, raw=True, mode="site"),
    Field("user_id", _S, "the site's id of a signed-in person", _ANY, None, raw=True, mode="site"),
    Field(
        "device_id",
        _S,
        "the beacon's id of a browser, set only after consent",
        _ANY,
        None,
        raw=True,
        mode="site",
    ),
    Field(
        "consent",
        _S,
        "the choice sent with the event, and consent platforms' strings",
        _ANY,
        None,
        raw=True,
        mode="given",
    ),
    Field("member", _S, "band of age and gender, as the site sends them", _ANY, None, raw=True, mode="given"),
    Field(
        "referral", _S, "who a member was sent by: a code and a channel", _ANY, None, raw=True, mode="given"
    ),
    Field(
        "geo", _S, "where a phone is; a coarse cell as soon as it is read", _ANY, None, raw=True, mode="given"
    ),
    Field(
        "counterpart",
        _S,
        "the site's id of the other person of a marketplace's event, and their country",
        _ANY,
        None,
        raw=True,
        mode="site",
    ),
    Field(
        "declared",
        _S,
        "a member's country and time zone, as the site sends them",
        _ANY,
        None,
        raw=True,
        mode="given",
    ),
    Field("gpc", _S, "the Sec-GPC header, as received", _ANY, None, raw=True, mode="sent"),
    Field("dnt", _S, "the DNT header, as received", _ANY, None, raw=True, mode="sent"),
    # What every record has.
    Field("site", _S, "the site, as named in the settings", _ANY, raw=True, mode="site"),
    Field("home", _S, "the region that the row is of, as the settings name it", _ANY, mode="record"),
    Field(
        "time", _MS, "when it happened, UTC, bounded by the time of receipt", _ANY, raw=True, mode="record"
    ),
    Field(
        "received", _MS, "when it was received, UTC; retention runs from here", _ANY, raw=True, mode="record"
    ),
    Field(
        "type",
        _S,
        "page_view, click, event, engagement, vital, error; of adverts ad_request, ad_served, ad_impression, "
        "ad_viewable, ad_engagement, ad_video, ad_click, ad_landing, ad_conversion, ad_refund, ad_contact; "
        "counterpart: the other side's narrow row of somebody else's event",
        _ANY,
        raw=True,
        mode="site",
    ),
    Field("protocol", _S, "how it came: beacon, pixel, advert, weblog", _ANY, raw=True, mode="record"),
    Field("day", pa.date32(), "the day in the site's own time zone", _ANY, mode="record"),
    Field(
        "offset_min", pa.int16(), "the site's offset from UTC at that moment, in minutes", _ANY, mode="record"
    ),
    Field(
        "event_id",
        pa.uint64(),
        "keyed hash of (site, id): finds retries; null where no id came",
        _ANY,
        RETRY,
        mode="derived",
    ),
    Field(
        "person",
        pa.uint64(),
        "pseudonym, another one for adverts; its top bits are the bucket",
        _ANY,
        mode="derived",
    ),
    Field("treatment", _S, "identified or cookieless: how the pseudonym was made", _ANY, mode="record"),
    Field("purposes", pa.uint32(), "bitmask of the purposes granted", _ANY, mode="record"),
    Field("because", _S, "the rule that decided, as `policy.regime.rule`", _ANY, mode="record"),
    Field("signal", _S, "the signal that spoke, e.g. choice, tcf or gpc; or none", _ANY, mode="record"),
    Field(
        "basis",
        _S,
        "the legal basis for measurement: consent, legitimate_interest, exempt, notice",
        _ANY,
        mode="record",
    ),
    Field("policy", _S, "policy pack and its version", _ANY, mode="record"),
    # What measurement reads.
    Field(
        "name",
        _S,
        "name of a custom event or a vital, the target kind of a click, the kind of an error",
        raw=True,
        mode="site",
    ),
    Field(
        "path", _S, "the page, templated and scrubbed, with no more of its query than the site allows", _SEEN
    ),
    Field("utm_source", _S, "campaign source"),
    Field("utm_medium", _S, "campaign medium"),
    Field("utm_campaign", _S, "campaign name"),
    Field("utm_term", _S, "campaign term"),
    Field("utm_content", _S, "campaign content"),
    Field("referrer_host", _S, "host of the referring page"),
    Field("referrer_group", _S, "search, social, mail, referral, direct, internal or campaign", _SEEN),
    Field("browser", _S, "browser family, of a closed list; Other for the rest", _SEEN),
    Field("browser_version", _S, "major version", _SEEN, alone=False),
    Field("os", _S, "operating system family, of a closed list; Other for the rest", _SEEN),
    Field("os_version", _S, "major version, or null where browsers freeze it", _SEEN, alone=False),
    Field("device", _S, "desktop, mobile, tablet, tv, console, other", _SEEN),
    Field("continent", _S, "two letters", _SEEN),
    Field("country", _S, "ISO 3166 alpha-2; ZZ when unknown", _ANY),
    Field("region", _S, "first subdivision, where the database has it", alone=False),
    Field("network", _S, "residential, mobile, business, hosting or unknown", alone=False),
    Field(
        "duration_ms",
        pa.int32(),
        "time the page or the advert was in view, milliseconds",
        _SEEN,
        raw=True,
        mode="site",
    ),
    Field("scroll", pa.int16(), "deepest scroll, percent", raw=True, mode="site"),
    Field(
        "value",
        pa.float64(),
        "the number a custom event or a conversion carries; of a vital or an error the band it is in",
        _SEEN,
        raw=True,
        mode="site",
    ),
    Field("props", _S, "allow-listed properties, JSON with sorted keys", raw=True, mode="site"),
    Field("referral_code", _S, "code of the invitation that a member followed; names nobody", mode="given"),
    Field("referral_channel", _S, "link, email, social, message, code, other", mode="given"),
    Field("age", _S, "band of age, or ok or under where only that is said", alone=False, mode="given"),
    # What has a purpose of its own.
    Field("gender", _S, "female, male, other", Purpose.GENDER, alone=False, mode="given"),
    Field("cell", _S, "where a phone was: a geohash of four letters, about 20 km", Purpose.PRECISE_GEO),
    Field(
        "place",
        _S,
        "whether declared country, time zone and address agree: match, mismatch, unknown",
        Purpose.SECURITY,
        alone=False,
    ),
    # What advert measurement reads.
    Field("ad_slot", _S, "advert slot", _ADVERT, raw=True, mode="site"),
    Field("ad_creative", _S, "advert creative", _ADVERT, raw=True, mode="site"),
    Field("ad_campaign", _S, "advert campaign", _ADVERT, raw=True, mode="site"),
    Field("ad_placement", _S, "place that was booked, as the catalogue names it", _ADVERT, mode="site"),
    Field("ad_size", _S, "width and height in CSS pixels where the IAB lists them, else a class", _ADVERT),
    Field("ad_frequency", _S, "how often this browser has seen the campaign: 1, 2, 3, 4-6, 7+", _ADVERT),
    Field("ad_group", _S, "exposed or holdout", _ADVERT, mode="site"),
    Field("ad_goal", _S, "goal that a conversion or a refund is of", _ADVERT, mode="site"),
    Field(
        "ad_step",
        _S,
        "part of a video that was reached, how somebody engaged, or was written to",
        _ADVERT,
        mode="site",
    ),
    Field("ad_view", pa.uint64(), "keyed hash of (site, the advert's own id of this view)", _ADVERT),
    Field("ad_order", pa.uint64(), "keyed hash of (site, order)", _ADVERT),
    Field("ad_share", pa.int16(), "most of the advert that was in view, percent", _ADVERT),
    Field("ad_flags", pa.uint32(), "what spoke against a person, a bit each", _ADVERT | Purpose.SECURITY),
    Field("ad_rate", pa.int16(), "how busy its network was: log2 of events", _ADVERT | Purpose.SECURITY),
)

BY_NAME: dict[str, Field] = {f.name: f for f in FIELDS}


def stored(purpose: Purpose) -> tuple[str, ...]:
    """Every column that may be stored for a purpose; none where nothing is stored for it alone."""
    kept = [field for field in FIELDS if field.keep is not None and field.purposes & purpose]
    return tuple(field.name for field in kept) if any(field.purposes != _ANY for field in kept) else ()


#: Number of the stored layout; a record in the log names the one it was written with.
LAYOUT = 5

RAW: pa.Schema = pa.schema([(f.name, f.type) for f in FIELDS if f.raw])
EVENT: pa.Schema = pa.schema([(f.name, f.type) for f in FIELDS if f.keep is not None])

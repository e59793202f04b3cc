"""Every way an event or a request can be refused here: its code, its status, and what the sender is told.

A code never changes once published; it is the `detail` of the count, so it names no visitor. Consent and
robots are not here: their sender is told nothing (202), because a refusal is none of the sender's doing.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from consent_filter.errors import Refused
from ingest.request import Answer


class Reject(NamedTuple):
    """`reason` is one of `consent_filter.counts.REASONS`; `message` tells the sender how to mend it."""

    status: int
    reason: str
    message: str


def _invalid(status: int, message: str) -> Reject:
    return Reject(status, "invalid", message)


REJECTS: dict[str, Reject] = {
    # the request
    "method": _invalid(405, "this address does not take that method"),
    "media_type": _invalid(415, "send application/json or text/plain"),
    "encoding": _invalid(415, "send the body plain, or with Content-Encoding: gzip"),
    "too_large": _invalid(413, "the body is larger than ingest.max_body"),
    "rate": _invalid(429, "too many requests from one address; see ingest.rate"),
    "clear": Reject(403, "clear", "send it encrypted (https); see ingest.https_only"),
    # the body
    "malformed": _invalid(400, "not valid JSON in UTF-8, or nested too deeply"),
    "empty": _invalid(400, 'no event in the body: send one, an array of them, or {"events": [...]}'),
    "too_many": _invalid(413, "more events in one body than ingest.max_events"),
    "not_an_object": _invalid(400, "an event is a JSON object"),
    "duplicate_key": _invalid(400, "a name stands twice in one object; it is not clear which one is meant"),
    "query": _invalid(400, "the query is not percent-encoded UTF-8, or names something twice"),
    "sender": _invalid(403, "X-Device-IP must be an address; believed of ingest.ad_servers, or with a token "
                            "(`throng adverts token`)"),
    "vouched": _invalid(403, "contacts are believed of ingest.ad_servers, or with a token "
                             "(`throng adverts token NAME --for servers`)"),
    # an advert's address
    "unsigned": _invalid(403, "this address is not signed: `throng adverts tags` prints ones that are"),
    "altered": _invalid(403, "this address was altered or cut off, or was not made here"),
    "expired": _invalid(403, "this address is over"),
    "target": _invalid(403, "this address leads to no web page"),
    "stale": _invalid(400, "what a page has added to this address was of another moment, ten minutes off"),
    "step": _invalid(400, "event, kind or way is missing or unknown; docs/adverts.md lists them"),
    "click": _invalid(400, "the id of the click is over, was altered, or was not made here"),
    # the event
    "site": _invalid(400, "site is missing or not one that is measured here"),
    "region": Reject(403, "region", "no mechanism of transfer allows events of this site to be taken here"),
    "origin": _invalid(403, "this page's origin is not in the site's list"),
    "type": _invalid(400, "type is missing or unknown; known: page_view, click, event, engagement, vital, "
                          "error, ad_request, ad_served, ad_impression, ad_viewable, ad_engagement, "
                          "ad_video, ad_click, ad_landing, ad_conversion, ad_refund"),
    "url": _invalid(400, "url is missing, not a string, or too long"),
    "referrer": _invalid(400, "referrer is not a string or too long"),
    "title": _invalid(400, "title is not a string"),
    "id": _invalid(400, "id is not a short string or an integer"),
    "time": _invalid(400, "time is neither milliseconds since 1970 nor ISO 8601"),
    "name": _invalid(400, "name is missing, not in the site's list of events, or not a short plain string"),
    "user_id": _invalid(400, "user_id is missing, or not a short string or an integer"),
    "device_id": _invalid(400, "device_id is not a short string or an integer"),
    "consent": _invalid(400, "consent is not an object of purpose to true or false, or too long"),
    "props": _invalid(400, "props is not an object of short plain values, or has too many"),
    "experiment": _invalid(400, "no label is of an experiment that the site has declared and that runs"),
    "ad": _invalid(
        400,
        "ad is not an object of short plain strings, a share of 0 to 100, a frequency of 1, 2, 3, 4-6 or 7+",
    ),
    "member": _invalid(400, "member is not {age_ok, age_band, gender} of known words"),
    "referral": _invalid(400, "referral is not {code, channel}: a short plain code, a known channel"),
    "geo": _invalid(400, "geo is not {lat, lon, accuracy} in degrees and metres"),
    "counterpart": _invalid(400, "counterpart is not {user_id, country}: a short id, two capital letters"),
    "declared": _invalid(400, "declared is not {country, time_zone}: two capital letters, a zone's name"),
    "duration": _invalid(400, "duration is not a number of milliseconds within a day"),
    "scroll": _invalid(400, "scroll is not a number from 0 to 100"),
    "value": _invalid(400, "value is not a finite number, or of an advert below 0"),
    "late": Reject(400, "late", "older than a retry may be (ingest.retry_hours)"),
}  # fmt: skip


def error(code: str) -> Answer:
    """The answer to a request that failed whole."""
    reject = REJECTS[code]
    return Answer(reject.status, msgspec.json.encode(Refused(reject.status, code, reject.message).body()))


ANSWERS: dict[str, Answer] = {code: error(code) for code in REJECTS}

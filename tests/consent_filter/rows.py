"""Events one by one, as people think of them, and the batch that they make; with strategies for any."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from consent_filter.advert import Ad
from consent_filter.market import Counterpart
from consent_filter.member import Member, Referral
from consent_filter.policy import Packs
from consent_filter.purpose import BY_NAME
from consent_filter.raw import Agent, Page, Place, Raw, Source, column
from consent_filter.site import Site
from consent_filter.whereabouts import Declared
from tests.consent_filter import strings

#: 2026-11-23 12:00 UTC, in milliseconds, and the day it is in UTC.
NOON = 1_795_435_200_000
DAY = NOON // 86_400_000

SITES = {
    "eu": Site(id="eu", timezone="Europe/Berlin", pack="workallies-2024", region="EU"),
    "us": Site(id="us", timezone="Pacific/Kiritimati", pack="worktasker-2014"),
}
PACKS = Packs(SITES)


class Row(NamedTuple):
    """One event, understood."""

    site: str = "eu"
    country: str = "DE"
    type: str = "page_view"
    user_id: str | None = None
    device_id: str | None = None
    consent: bytes | None = None
    gpc: str | None = None
    dnt: str | None = None
    id: str | None = None
    address: str = "192.0.2.7"
    agent: str = "Mozilla/5.0"
    time: int = NOON
    protocol: str = "beacon"
    name: str | None = None
    path: str | None = "/"
    referrer_host: str | None = None
    region: str | None = "BE"
    props: str | None = None
    ad: Ad | None = None
    member: Member | None = None
    referral: Referral | None = None
    geo: str | None = None
    counterpart: Counterpart | None = None
    declared: Declared | None = None
    duration_ms: int = -1
    scroll: int = -1
    value: float = float("nan")


def batch(rows: Sequence[Row]) -> Raw:
    """The rows as the filter gets them."""

    def of(work: Any) -> Any:
        return column([work(row) for row in rows])

    return Raw(
        n=len(rows),
        site=of(lambda r: r.site),
        protocol=of(lambda r: r.protocol),
        type=of(lambda r: r.type),
        name=of(lambda r: r.name),
        received=np.array([r.time for r in rows], np.int64),
        time=np.array([r.time for r in rows], np.int64),
        id=[r.id for r in rows],
        address=of(lambda r: r.address),
        agent=of(lambda r: (r.agent, ("", "", ""), None)),
        url=of(lambda r: ""),
        referrer=of(lambda r: None),
        user_id=of(lambda r: r.user_id),
        device_id=of(lambda r: r.device_id),
        consent=of(lambda r: r.consent),
        gpc=of(lambda r: r.gpc),
        dnt=of(lambda r: r.dnt),
        props=of(lambda r: r.props),
        ad=of(lambda r: r.ad),
        member=of(lambda r: r.member),
        referral=of(lambda r: r.referral),
        geo=of(lambda r: r.geo),
        counterpart=of(lambda r: r.counterpart),
        declared=of(lambda r: r.declared),
        duration_ms=np.array([r.duration_ms for r in rows], np.int32),
        scroll=np.array([r.scroll for r in rows], np.int16),
        value=np.array([r.value for r in rows], np.float64),
        browser=of(lambda r: Agent("Firefox", "140", "Linux", None, "desktop")),
        place=of(lambda r: Place("EU", r.country, r.region, "residential")),
        page=of(lambda r: Page("x.example", r.path, "news", None, None, None, None, 0)),
        source=of(lambda r: Source(r.referrer_host, "direct")),
    )


countries = st.sampled_from(["DE", "FR", "GB", "CH", "RE", "IS", "US", "CA", "NG", "JP", "ZZ"])
types = st.sampled_from(
    [
        "page_view",
        "click",
        "event",
        "engagement",
        "vital",
        "error",
        "ad_impression",
        "ad_viewable",
        "ad_conversion",
    ]
)
headers = st.sampled_from([None, "1", "0", "", " 1", "true", "11"])
purposes = st.sampled_from(sorted(BY_NAME))
words = st.sampled_from(["true", "false", '"granted"', '"denied"'])
#: What consent platforms send: each signal's strings, good, refusing, damaged and unfilled.
platforms = st.fixed_dictionaries(
    {},
    optional={
        "gdpr": st.sampled_from([0, 1, "0", "1", "", "${GDPR}", None, True]),
        "tcf": st.sampled_from(
            [strings.EVERYTHING, strings.VISITS, strings.NOTHING, strings.OLD, "", "CP", None, 7]
        )
        | st.just("${GDPR_CONSENT_7}"),
        "gpp": st.sampled_from(
            [strings.FREE, strings.OPTED_OUT, strings.BOTH, strings.CHILD, strings.EMPTY, "", "DB", None, 7]
        )
        | st.just("${GPP_STRING_7}"),
        "gpp_sid": st.sampled_from(
            [2, 7, 8, "2", "7,8", [2, 7], 0, -1, "-1", "", "${GPP_SID}", None, True, [5]]
        ),
        "usp": st.sampled_from(["1YNN", "1YYN", "1---", "1yyn", "", None]),
        "gcs": st.sampled_from(["G111", "G101", "G110", "G100", "G1--", "G2", "", None, 1]),
        "gcd": st.sampled_from(["11t1t1t1t5", "11p1t1q1t5", "13l3l3l3l1l1", "11z1t1t1t5", "1", "", None]),
    },
)
choices = st.one_of(
    st.none(),
    st.builds(
        lambda own, sent: json.dumps(own | sent).encode(),
        st.dictionaries(purposes, st.booleans(), max_size=3),
        platforms,
    ),
    st.dictionaries(st.one_of(purposes, st.just("unheard_of")), words, max_size=5).map(
        lambda d: ("{" + ",".join(f'"{name}":{word}' for name, word in d.items()) + "}").encode()
    ),
    st.sampled_from(
        [
            b"null",
            b"{}",
            b"[]",
            b"1",
            b'"yes"',
            b"{",
            b'{"measurement":1}',
            b'{"measurement":null}',
            b"\xff",
            b"",
        ]
    ),
    st.binary(max_size=6),
)
ids = st.sampled_from([None, None, "a", "b"])
rows = st.builds(
    Row,
    site=st.sampled_from(sorted(SITES)),
    country=countries,
    type=types,
    user_id=ids,
    device_id=ids,
    consent=choices,
    gpc=headers,
    dnt=headers,
    id=st.sampled_from([None, "1", "2"]),
    address=st.sampled_from(["192.0.2.7", "2001:db8::7"]),
    agent=st.sampled_from(["Mozilla/5.0", "Opera/9.80", ""]),
    time=st.integers(NOON - 86_400_000, NOON + 43_200_000),
    name=st.sampled_from([None, "bid_placed"]),
    path=st.sampled_from([None, "/", "/project/{project}"]),
    props=st.sampled_from([None, '{"plan":"pro"}']),
    member=st.sampled_from(
        [
            None,
            None,
            *(Member(age, None) for age in ("ok", "under", "under_13", "16-17", "18-24", "65+")),
            Member("ok", "female", ("birth_date",)),
            Member(None, "male", ()),
        ]
    ),
    referral=st.sampled_from([None, Referral("c-1", "link"), Referral(None, None, ("contact", "other"))]),
    geo=st.sampled_from([None, "u33d", "umg"]),
    declared=st.sampled_from([None, Declared("DE", "Europe/Berlin"), Declared(None, "Asia/Tokyo")]),
    ad=st.sampled_from(
        [
            None,
            Ad("top", "c1", "autumn"),
            Ad(None, None, "autumn", "p1", "300x250", "4-6", "exposed", "sale", "midpoint", "v", "o", 50, 5),
        ]
    ),
    duration_ms=st.sampled_from([-1, 0, 1500]),
    scroll=st.sampled_from([-1, 0, 100]),
    value=st.sampled_from([float("nan"), 0.0, 2.5]),
)

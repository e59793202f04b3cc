"""The end of every parser: take the refused rows out, count them, and say what each sender is told."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from consent_filter.advert import Ad
from consent_filter.campaigns import NONE
from consent_filter.counts import REFUSED, Counts, Key
from consent_filter.marketing import CONTACT
from consent_filter.raw import Raw
from consent_filter.site import local
from ingest.protocols.columns import take
from ingest.protocols.event import TYPES
from ingest.protocols.parsing import Parsed, Parsing
from ingest.protocols.rows import Rows, gather
from ingest.rejects import ANSWERS, REJECTS
from ingest.request import Answer, Request

ACCEPTED = Answer(202, b"")


def finish(
    protocol: str, requests: Sequence[Request], rows: Rows, parsing: Parsing, accepted: Answer = ACCEPTED
) -> Parsed:
    """The rows as columns without the bad ones, one answer for each request, and the rejects by count."""
    raw = gather(protocol, requests, rows, parsing)
    bad = rows.bad
    if not bad:
        return Parsed(raw, [accepted] * len(requests), Counts())
    rejects = _count(raw, bad, parsing)
    answers = _answers(len(requests), rows, accepted)
    good = np.array([row for row in range(raw.n) if row not in bad], np.intp)
    return Parsed(take(raw, good), answers, rejects)


def _count(raw: Raw, bad: dict[int, str], parsing: Parsing) -> Counts:
    """Rejects count on the day they were received: what they say of themselves is not to be relied on.

    A site's name counts only when it is one, because any text could stand there.
    """
    counts = Counts()
    (protocol,) = raw.protocol.values
    for row, code in bad.items():
        site = parsing.sites.get(raw.site.values[raw.site.codes[row]])
        day = local(site.timezone if site else "UTC", raw.received[row : row + 1])[0]
        where = site.id if site else "", int(day[0]), protocol, "ZZ"
        counts[Key(*where, REFUSED, REJECTS[code].reason, code, *_advert(raw, row, parsing))] += 1
    return counts


def _advert(raw: Raw, row: int, parsing: Parsing) -> tuple[str, str]:
    """Type and campaign of an advert's event that is refused, as far as it could be read."""
    type, ad = raw.type.values[raw.type.codes[row]], raw.ad.values[raw.ad.codes[row]]
    if type not in TYPES and type != CONTACT:
        return NONE
    return parsing.campaigns.counted(type, ad.campaign if isinstance(ad, Ad) else None)


def _answers(n: int, rows: Rows, accepted: Answer) -> list[Answer]:
    answers = [accepted] * n
    if rows.owner is None:
        for row, code in rows.bad.items():
            answers[row] = ANSWERS[code]
        return answers
    refused: dict[int, list[tuple[int, str]]] = {}
    first: dict[int, int] = {}
    size = [0] * n
    for row, owner in enumerate(rows.owner):
        size[owner] += 1
        first.setdefault(owner, row)
        if row in rows.bad:
            refused.setdefault(owner, []).append((row - first[owner], rows.bad[row]))
    for owner, codes in refused.items():
        answers[owner] = _mixed(size[owner], codes) if owner in rows.lists else ANSWERS[codes[0][1]]
    return answers


def _mixed(size: int, codes: list[tuple[int, str]]) -> Answer:
    """The answer to a list with refused events: the good ones are stored; if there is none, an error."""
    said: dict[str, object] = {"accepted": size - len(codes)}
    said["refused"] = [{"index": index, "code": code} for index, code in codes]
    if len(codes) < size:
        return Answer(202, msgspec.json.encode(said))
    kinds = {code for _, code in codes}
    reject = REJECTS[codes[0][1]]
    status = reject.status if len(kinds) == 1 else 400
    return Answer(
        status, msgspec.json.encode({"error": {"code": codes[0][1], "message": reject.message}, **said})
    )

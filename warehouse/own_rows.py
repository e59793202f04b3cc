"""An advertiser's or a partner's own rows of what is published, and nobody else's: late, and about fifty
people each (M53).

Only released tables are read, and of them only those by campaign, or by the source that a link names. A row
is an advertiser's where the catalogue says whose campaign it is, a partner's where its source is listed for
it; what was folded, and what bears neither, is nobody's. No total is given, so that there is nothing to
subtract from; nor any row that another one is part of.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from consent_filter.errors import Broken, Misconfigured, Refused
from warehouse import egress
from warehouse.reader import Reading
from warehouse.report import OTHER

#: The fewest people of a row that leaves the house.
LEAST = egress.FEWEST
#: What counts of requests are rounded down to: they are of nobody, and not moved as groups are.
ROUND = 10
#: Days that a row is held back: by then what comes late has come, and nobody can watch somebody order.
DELAY = 2


class Own(NamedTuple):
    """By which key rows are somebody's, and the purpose of the tables."""

    key: str
    purpose: str


CAMPAIGNS, SOURCES = Own("ad_campaign", "ad_measurement"), Own("utm_source", "measurement")
#: Words that stand for nobody's, whatever is listed.
_NOBODYS = (OTHER, "(none)", "(unattributed)")


def owners(path: Path) -> dict[str, str]:
    """Campaign → advertiser, as the catalogue in that file says; none where there is no file. Raises
    Misconfigured."""
    try:
        listed = tomllib.loads(path.read_text()).get("campaign", [])
        found = {str(one["id"]): str(one.get("advertiser", "")) for one in listed}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Misconfigured(path.name, "campaign", f"[[campaign]] tables with an id; {error}") from None
    return {campaign: whose for campaign, whose in found.items() if whose and campaign not in _NOBODYS}


def campaigns(listed: Mapping[str, str], advertiser: str) -> list[str]:
    """Whose they are. Raises Refused where nothing is listed for that advertiser."""
    mine = sorted(campaign for campaign, whose in listed.items() if whose == advertiser)
    if not mine or not advertiser:
        raise Refused(404, "no_such_advertiser", "the catalogue lists no campaign of that advertiser")
    return mine


def sources(listed: Mapping[str, Sequence[str]], partner: str) -> list[str]:
    """The sources that are a partner's. Raises Refused where nothing is listed for it."""
    mine = sorted(set(listed.get(partner, ())) - set(_NOBODYS))
    if not mine:
        raise Refused(404, "no_such_partner", "the settings list no source of that partner")
    return mine


def tables(reading: Reading, own: Own = CAMPAIGNS) -> dict[str, dict[str, Any]]:
    """What is published by that key and day, by name: its description."""
    found = reading.rows("SELECT * FROM reports ORDER BY title")
    by = {one["name"]: one for one in found if {own.key, "day"} <= {*one["keys"]} and one["has_people"]}
    return {name: one for name, one in by.items() if one["purpose"] == own.purpose}


def rows(reading: Reading, name: str, mine: list[str], today: date, own: Own = CAMPAIGNS) -> pa.Table:
    """The rows of a report that are of these campaigns (or sources), of days that are over for DELAY days, as
    they may leave the house (`egress.py`). Raises Refused."""
    known = tables(reading, own)
    if name not in known:
        raise Refused(404, "no_such_report", "there is no report of that name about what is one's own")
    about = known[name]
    if egress.CLOSED.intersection(about["keys"]):
        raise Broken(f"the report {name} has a key that tells who somebody is")
    columns = ", ".join([*about["keys"], *about["counts"], *about["sums"]])
    return reading.table(
        f"SELECT {columns} FROM {name} WHERE {own.key} IN (SELECT unnest(?)) AND day <= ?"
        f" AND {' AND '.join(f'{count} >= {LEAST:d}' for count in about['counts'])} ORDER BY ALL",
        [mine, today - timedelta(days=DELAY)],
    )


def refusals(reading: Reading, name: str, mine: list[str], today: date) -> pa.Table:
    """Rows of a report that counts refused requests and nobody, of these campaigns and as late: of LEAST
    requests and more, rounded down to ROUND. None where it is not published."""
    found = reading.rows("SELECT * FROM reports WHERE name = ?", [name])
    if not found:
        return pa.table({})
    (about,) = found
    if about["has_people"] or egress.CLOSED.intersection(about["keys"]):
        raise Broken(f"the report {name} is not one of requests alone")
    sums = ", ".join(f"{one} // {ROUND:d} * {ROUND:d} AS {one}" for one in about["sums"])
    enough = " AND ".join(f"{one} >= {LEAST:d}" for one in about["sums"])
    return reading.table(
        f"SELECT {', '.join(about['keys'])}, {sums} FROM {name}"
        f" WHERE ad_campaign IN (SELECT unnest(?)) AND day <= ? AND {enough} ORDER BY ALL",
        [mine, today - timedelta(days=DELAY)],
    )

"""Questions drawn at random, put to the code that answers them and to an oracle that filters first (S7).

The oracle takes out every row that does not allow the question's purpose, then every column that was not
collected for it, and only then counts, in plain Python; adverts, whose views must be judged, are counted by
the same code over what is left. `python -m tests.warehouse.purposes 100000 1` asks so many, by a seed.
"""

from __future__ import annotations

import random
import sys
from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from consent_filter.counterpart import TYPE
from consent_filter.errors import Refused
from consent_filter.fields import FIELDS
from consent_filter.purpose import BY_NAME
from tests.warehouse import plain
from tests.warehouse.crowd import Row, events, whole
from warehouse import askable
from warehouse.cells import contribute
from warehouse.question import Question, read
from warehouse.relations import Bucket, Days, hold, offer_withdrawn
from warehouse.report import Report
from warehouse.settings import Warehouse

HOW = Warehouse()
#: What may be named for a purpose, as a lawyer would list it: written down here once more on purpose.
MAY = {
    "measurement": (
        {"people", "views", "events", "duration_ms"} | {"visits", "bounces", "visit_views", "visit_ms"},
        {"country", "device", "os", "browser", "type", "hour", "path", "name", "referrer_group"}
        | {"referrer_host", "utm_source", "utm_medium", "utm_campaign", "entry", "leave"},
    ),
    "ad_measurement": (
        {"people", "requests", "served", "impressions", "measured", "viewable", "clicks"}
        | {"net_impressions", "net_measured", "net_viewable", "net_clicks"},
        {"ad_campaign", "ad_creative", "ad_placement", "country", "device"},
    ),
}
#: Columns of facts that no question may name.
FORBIDDEN = ("gender", "cell", "place", "props", "person", "age", "ad_order", "region", "value")
#: Never to be seen in an answer: in rows that do not allow its purpose, and in columns of others.
POISON = "forbidden"
_ALLOWS = (0, 1, 2, 3, 8, 9, 11, 1 << 20)


def facts(chance: random.Random, n: int = 50) -> list[Row]:
    """Events of a few people of whom each row allows something else, and says more than it may."""
    rows: list[Row] = []
    for number in range(n):
        advert = chance.random() < 0.3
        kind = chance.choice(
            ["ad_request", "ad_served", "ad_impression", "ad_viewable", "ad_click"] if advert
            else ["page_view", "page_view", "engagement", "event", "click", TYPE]
        )  # fmt: skip
        allows = chance.choice(_ALLOWS)
        row: dict[str, Any] = {
            "site": "shop", "person": chance.randrange(8), "type": kind, "purposes": allows,
            "time": f"2026-09-0{chance.randint(1, 2)} {chance.randint(8, 20):02d}:{number:02d}",
            "protocol": "advert" if advert else "beacon", "gender": POISON, "cell": POISON, "place": POISON,
        }  # fmt: skip
        texts = ("name", "path", "utm_source", "utm_medium", "utm_campaign", "referrer_host",
                 "referrer_group", "browser", "os", "device", "country", "ad_creative", "ad_campaign",
                 "ad_placement")  # fmt: skip
        for name in texts:
            if chance.random() < 0.8:
                row[name] = f"{name[:2]}{chance.randrange(3)}" if allows & 9 else POISON
        if kind == "engagement":
            row["duration_ms"] = chance.randint(0, 5_000_000)
        if advert and chance.random() < 0.8:
            row["ad_view"] = chance.randrange(12)
        rows.append(row)
    return rows


def drawn(chance: random.Random) -> tuple[str, bool]:
    """The text of a question, and whether it may be asked."""
    purpose = chance.choice(["measurement", "measurement", "ad_measurement", "ad_measurement", "research"])
    measures, dimensions = MAY.get(purpose, MAY["measurement"])
    asked = chance.sample(sorted(measures), chance.randint(1, 2))
    by = chance.sample(sorted(dimensions), chance.randint(0, 2))
    kind = chance.random()
    if kind < 0.1:
        by.append(chance.choice(FORBIDDEN))
    elif kind < 0.25:
        other = MAY["ad_measurement" if purpose == "measurement" else "measurement"]
        chance.choice([asked, by]).append(chance.choice(sorted(other[chance.randrange(2)])))
    where = ""
    if chance.random() < 0.3:
        key = chance.choice(sorted(dimensions))
        where = f" where {key} = '{POISON if chance.random() < 0.3 else 'co1'}'"
        by_keys = {*by, key}
    else:
        by_keys = {*by}
    said = {"measurement": "analytics", "ad_measurement": "adverts"}
    named = chance.choice([purpose, said.get(purpose, purpose)])
    good = purpose in MAY and {*asked} <= measures and by_keys <= dimensions
    keys = f" by {', '.join(by)}" if by else ""
    return f"{', '.join(asked)}{keys} for {named}{where}", good


class Asked:
    """The code that answers, over some facts."""

    def __init__(self, rows: list[Row]) -> None:
        self.con = duckdb.connect(config={"threads": 1})
        hold(self.con, "all_facts", pa.Table.from_batches([events(rows)]))
        empty = pa.table({"day": pa.array([], pa.date32())})
        hold(self.con, "balance_of", empty)
        offer_withdrawn(self.con, events([])["person"].to_numpy())
        days = [date(2026, 9, 1), date(2026, 9, 2)]
        self.days = Days(self.con, "all_facts", "balance_of", days, many=HOW.max_cells)
        self.purpose = ""

    def contributions(self, report: Report) -> Counter[tuple[Any, ...]]:
        """What each person adds to each row, of which all that is released is made."""
        if report.purpose != self.purpose:
            self.days.move(Bucket(), [report, askable.report("visits", ())][: 2 - (report.bit != 1)])
            self.purpose = report.purpose
        self.days.show(report)
        contribute(self.con, report, HOW)
        columns = ", ".join((*report.keys, "person", *report.sums))
        return Counter(self.con.execute(f"SELECT {columns} FROM contributions").fetchall())


def allowed(rows: list[Row], purpose: str) -> list[dict[str, Any]]:
    """Filtered first: rows that allow it, and of them the columns that were collected for it."""
    bit = int(BY_NAME[purpose])
    hidden = {field.name for field in FIELDS if not field.purposes & bit}
    return [
        {name: value for name, value in row.items() if name not in hidden}
        for row in rows if int(row["purposes"]) & bit
    ]  # fmt: skip


class Oracle:
    """The slow way, over the same facts."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.left = {purpose: allowed(rows, purpose) for purpose in MAY}
        self.adverts = Asked(list(self.left["ad_measurement"]))
        counted = [whole(row) for row in self.left["measurement"] if row["type"] != TYPE]
        for one in counted:
            one["day"] = date(1970, 1, 1) + timedelta(days=one["day"])
        self.facts, self.visits = counted, plain._visits(counted)
        self.most = self._most()

    def _most(self) -> dict[tuple[Any, Any], dict[str, str]]:
        """What most of a person's events of a day say: by kinds of them, the largest kind."""
        kinds: Counter[tuple[Any, ...]] = Counter()
        names = ("country", "device", "browser", "os", "basis", "signal")
        for fact in self.facts:
            kinds[(fact["day"], fact["person"], *(fact.get(name) for name in names))] += 1
        found: dict[tuple[Any, Any], dict[str, str]] = defaultdict(dict)
        for at, name in enumerate(names[:4]):
            best: dict[tuple[Any, Any], tuple[int, str]] = {}
            for kind, n in kinds.items():
                who, says = kind[:2], (n, _or(name, kind[2 + at]))
                best[who] = max(best.get(who, says), says)
            for who, (_, value) in best.items():
                found[who][name] = value
        return found

    def contributions(self, report: Report) -> Counter[tuple[Any, ...]]:
        of = askable.subject_of(report.name)
        if of.name == "adverts":
            return self.adverts.contributions(report)
        keys = [key for key in report.keys if key not in ("site", "day")]
        sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(report.sums))
        for fact in self.facts if of.name == "events" else self.visits:
            who = (fact["day"], fact["person"])
            said = fact if of.name == "events" else fact | self.most[who]
            row = sums[(fact["site"], fact["day"], *(_or(key, said.get(key), fact) for key in keys), who[1])]
            for at, n in enumerate(_adds(of.name, fact)):
                row[at] += n
        caps = [report.most(name, HOW) for name in report.sums]
        return Counter((*key, *map(min, row, caps)) for key, row in sums.items())


def _adds(subject: str, fact: dict[str, Any]) -> tuple[int, ...]:
    if subject == "visits":
        return 1, fact["bounced"], fact["views"], fact["duration_ms"]
    stayed = (fact.get("duration_ms") or 0) if fact["type"] == "engagement" else 0
    return int(fact["type"] == "page_view"), 1, stayed


def _or(name: str, value: Any, fact: dict[str, Any] | None = None) -> str:
    """What a key is called, where nothing is said of it."""
    if name == "hour" and fact is not None:
        return f"{fact['time'] // 3_600_000 % 24:02d}"
    absent = {"country": "ZZ", "device": "other", "os": "(unknown)", "browser": "(unknown)"}
    return value or absent.get(name, "direct" if name == "referrer_group" else "(none)")


def permitted(text: str) -> Question | None:
    """The question, or None where it is refused for its purpose or its columns."""
    try:
        return read(text)
    except Refused as error:
        if error.code in ("purpose", "dimension", "measure", "subjects", "narrow"):
            return None
        raise


def differ(n: int, seed: int, each: int = 200) -> list[str]:
    """Ask so many questions, of new facts after `each`; what was answered otherwise than by the oracle."""
    chance, wrong, asked = random.Random(seed), list[str](), 0
    oracle, known = None, dict[str, bool]()
    engines: dict[str, Asked] = {}  # one for each purpose: views of adverts are judged once
    for number in range(n):
        if number % each == 0:
            rows = facts(chance)
            engines, oracle, known = {one: Asked(rows) for one in MAY}, Oracle(rows), {}
        assert oracle is not None
        text, good = drawn(chance)
        found = permitted(text)
        if found is not None and not good:
            wrong.append(f"answered: {text}")
        if found is None or not good:
            continue
        asked += 1
        of = askable.subject(found.measures, found.keys, found.purpose)
        report = askable.report(of.name, found.keys)
        if report.name not in known:  # the same report is the same answer: looked at once for these facts
            mine = engines[report.purpose].contributions(report)
            known[report.name] = mine == oracle.contributions(report) and POISON not in repr(mine)
        if not known[report.name]:
            wrong.append(f"{text} ({report.name}, facts {number // each})")
    assert asked > n // 3, f"only {asked} of {n} could be asked"
    return wrong


if __name__ == "__main__":
    many, begun = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    bad = differ(many, begun)
    print(f"{many} questions, {len(bad)} answered otherwise", *bad[:20], sep="\n")
    sys.exit(bool(bad))

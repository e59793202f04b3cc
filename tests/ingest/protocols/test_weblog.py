"""Web-server logs: golden lines, any line, and a real log against an oracle that shares no code."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.counts import REASONS
from consent_filter.site import Site
from ingest.protocols.logline import NO_AGENT, READERS, recognised, unescaped
from ingest.protocols.pageview import ASIDE
from ingest.protocols.parsing import Parsed
from ingest.protocols.weblog import own, parse, times
from tests.ingest.protocols.weblog_oracle import verdict

SITE = Site(id="shop")
NOW = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp() * 1000)


def cases() -> list[Any]:
    blocks = Path(__file__).with_name("weblog.cases").read_text().split("\n\n")[1:]
    split = [block.strip().split("\n") for block in blocks]
    return [pytest.param(format, line, expected, id=why[2:60]) for why, format, line, expected in split]


def read(format: str, lines: list[str], site: Site = SITE) -> Parsed:
    rows = [READERS[format](line) for line in lines]
    return parse(rows, times(rows), site, NOW, own(rows))


def shown(parsed: Parsed) -> str:
    """A page view or a refusal, as the cases write it."""
    raw = parsed.raw
    if raw.n == 0:
        ((key, n),) = parsed.rejects.items()
        assert (key.site, key.protocol, key.country, n) == ("shop", "weblog", "ZZ", 1)
        return f"{datetime.fromtimestamp(key.day * 86_400, UTC):%Y-%m-%d} {key.reason} {key.detail}"
    assert not parsed.rejects
    moment = datetime.fromtimestamp(int(raw.time[0]) / 1000, UTC).replace(tzinfo=None)
    says: dict[str, Any] = {
        "address": raw.address.rows()[0],
        "time": moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds"),
        "url": raw.url.rows()[0],
        "referrer": raw.referrer.rows()[0],
        "agent": raw.agent.rows()[0][0],
    }
    says |= {name: v for name, v in (("gpc", raw.gpc.rows()[0]), ("dnt", raw.dnt.rows()[0])) if v is not None}
    return json.dumps(says, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(("format", "line", "expected"), cases())
def test_case(format: str, line: str, expected: str) -> None:
    assert shown(read(format, [line])) == expected


@pytest.mark.parametrize(("format", "line", "expected"), cases())
def test_a_line_means_the_same_among_others(format: str, line: str, expected: str) -> None:
    """Vectorised or alone, in whatever company."""
    others = [case.values[1] for case in cases() if case.values[0] == format]
    whole, rest = read(format, [*others, line]), read(format, others)
    assert whole.raw.n + sum(whole.rejects.values()) == len(others) + 1
    if expected.startswith("{"):
        assert whole.raw.n == rest.raw.n + 1
    else:
        ((key, n),) = (whole.rejects - rest.rejects).items()
        assert expected.endswith(f"{key.reason} {key.detail}")
        assert n == 1


def test_details_and_reasons_are_named() -> None:
    said = {case.values[2] for case in cases() if not case.values[2].startswith("{")}
    assert {line.split(" ")[2] for line in said} == set(ASIDE)
    assert {line.split(" ")[1] for line in said} <= set(REASONS)


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=60)


@given(st.lists(text, max_size=6), st.sampled_from(sorted(READERS)))
def test_any_text_is_accounted_for(lines: list[str], format: str) -> None:
    parsed = read(format, lines)
    assert parsed.raw.n + sum(parsed.rejects.values()) == len(lines)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=4,
)
names = ["remote_addr", "ts", "time", "request", "method", "uri", "status", "host", "user_agent", "referer",
         "url", "content_type", "headers", "User-Agent", "client_ip", "http_sec_gpc", "purpose"]  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(names), values | st.dictionaries(st.sampled_from(names), values, max_size=3)
    )
)
def test_any_object_is_accounted_for(says: dict[str, Any]) -> None:
    """Also one whose parts are of other kinds, or not JSON at all (NaN)."""
    good = {"remote_addr": "192.0.2.1", "ts": 1_704_067_200, "method": "GET", "uri": "/a", "status": 200}
    parsed = read("json", [json.dumps(good | says), json.dumps(says)])
    assert parsed.raw.n + sum(parsed.rejects.values()) == 2


@given(
    st.datetimes(datetime(1995, 1, 1), datetime(2026, 1, 1)),
    st.integers(-14 * 4, 14 * 4),
    text.filter(
        lambda t: (
            t[:1] > "\x1f"
            and not t.startswith("/")
            and not re.search("feed|rss|atom|rdf|index|xml", t.lower())
        )
    ),
    text,
)
def test_what_a_server_writes_is_read_back(moment: datetime, quarters: int, path: str, agent: str) -> None:
    """The inverse, written as Apache escapes: quotes, backslashes and control characters."""

    def escaped(said: str) -> str:
        plain = said.replace("\\", "\\\\").replace('"', '\\"')
        return "".join(f"\\x{ord(c):02x}" if ord(c) < 32 else c for c in plain)

    local = moment.replace(microsecond=0, tzinfo=UTC) + timedelta(minutes=15 * quarters)
    offset = f"{'-' if quarters < 0 else '+'}{abs(quarters) // 4:02}{abs(quarters) % 4 * 15:02}"
    line = (
        f'192.0.2.1 - - [{local:%d/%b/%Y:%H:%M:%S} {offset}] "GET /p/{escaped(path)}/ HTTP/1.1" 200 1 "-" '
        f'"{escaped(agent)}"'
    )
    raw = read("combined", [line]).raw
    assert raw.n == 1
    assert raw.time[0] == int(moment.replace(microsecond=0, tzinfo=UTC).timestamp() * 1000)
    assert raw.url.rows() == [f"/p/{path}/"]
    assert raw.agent.rows()[0][0] == ("" if agent == "-" else agent)


@given(text)
def test_unescaping_leaves_plain_text_alone(said: str) -> None:
    plain = said.replace("\\", "")
    assert unescaped(plain) == plain


def test_the_format_is_recognised() -> None:
    whole = {format: [case.values[1] for case in cases() if case.values[0] == format] for format in READERS}
    for format, lines in whole.items():
        assert recognised(lines) == format
        assert recognised(["", *lines, " "]) == format
    assert recognised(["nothing", "of", "the", "kind"]) is None
    assert recognised([]) is None


def test_no_list_of_programs_knows_the_agent_of_the_common_format() -> None:
    from ingest.enrich.agent import Agents

    assert Agents().look((NO_AGENT, ("", "", ""), None)).robot is None


def test_the_sites_own_host_is_the_one_that_asks_for_images() -> None:
    def line(path: str, referrer: str) -> str:
        return f'192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] "GET {path} HTTP/1.1" 200 1 "{referrer}" "Agent"'

    lines = [line(f"/{n}.png", "https://www.shop.example/a") for n in range(3)]
    lines += [
        line("/x.png", "https://elsewhere.example/"),
        line("/b", "https://shop.example/"),
        line("/c", "-"),
    ]
    lines.append(line("/d", "https://elsewhere.example/"))
    raw = read("combined", lines).raw
    assert raw.url.rows() == ["http://shop.example/b", "http://shop.example/c", "http://shop.example/d"]
    lines[4] = line("/b", "https://www.shop.example/")  # the variant that the visitor came from
    assert read("combined", lines).raw.url.rows()[0] == "http://www.shop.example/b"
    assert read("combined", lines[3:]).raw.url.rows()[0] != "/b"
    assert read("combined", lines[4:]).raw.url.rows()[0] == "/b"


def test_a_refusal_counts_on_the_sites_own_day() -> None:
    """Half past six in the evening UTC is tomorrow in Kolkata."""
    line = '192.0.2.1 - - [01/Jan/2024:18:30:00 +0000] "GET /a.png HTTP/1.1" 200 1 "-" "Agent"'
    ((key, _),) = read("combined", [line], Site(id="shop", timezone="Asia/Kolkata")).rejects.items()
    assert datetime.fromtimestamp(key.day * 86_400, UTC).day == 2


@pytest.mark.needs("data")
def test_a_real_log_agrees_with_the_oracle(data: Path) -> None:
    """10,000 lines, judged by splitting at quotes: no expression, no table, no code in common."""
    with gzip.open(data / "weblog" / "apache-combined-2015.log.gz", "rt", errors="replace") as file:
        lines = file.read().splitlines()
    assert recognised(lines[:200]) == "combined"
    expected = [verdict(line) for line in lines]
    parsed = read("combined", lines)
    found = Counter({key.detail: 0 for key in parsed.rejects})
    for key, n in parsed.rejects.items():
        found[key.detail] += n
    assert found == Counter(e for e in expected if isinstance(e, str))
    views = [e for e in expected if not isinstance(e, str)]
    raw = parsed.raw
    assert raw.n == len(views)
    seen = zip(raw.address.rows(), raw.time.tolist(), raw.url.rows(), raw.agent.rows(), strict=True)
    assert [(a, t, u.partition(".com")[2] or u, agent[0]) for a, t, u, agent in seen] == views

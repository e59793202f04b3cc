"""From a draft to what a recipient holds, as a shell and a browser would go: approved, delivered, fetched,
recalled, and frozen where a transfer has lost its ground."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from consent_filter import signing
from consent_filter.signing import Signer
from dashboards.settings import Dashboards
from dashboards.who import Role
from ingest.settings import Sites
from tests import drafts
from tests.consent_filter.rights.mailbox import Mailbox
from tests.dashboards.asking import Asking
from tests.dashboards.browsing import house
from tests.throng.conftest import Throng
from throng import due, loop, packs, recalling
from throng.settings import Settings, load
from warehouse import deliveries, draft, objections, pack, snapshot
from warehouse.checks import runs
from warehouse.known import Figures
from warehouse.settings import Warehouse

TERMS = 'terms = { id = "T-7", permitted_use = "To assess an investment; not for marketing of its own." }'
SETTINGS = """
[[site]]
id = "market"
pack = "{pack}"
region = "EU"
[[site]]
id = "blog"
pack = "{other}"
region = "EU"
"""
RECIPIENTS = "".join(
    f'[[recipient]]\nname = "{name}"\nkind = "{kind}"\nregion = "{region}"\nuntil = {until}\n{TERMS}\n'
    for name, kind, region, until in (
        ("fund", "investor", "US", "2099-01-01"), ("bank", "investor", "EU", "2099-01-01"),
        ("gone", "investor", "EU", "2020-01-01"), ("shop", "advertiser", "EU", "2099-01-01"),
        ("moon", "investor", "JP", "2099-01-01"), ("mate", "partner", "EU", "2099-01-01"),
    )
)  # fmt: skip
MARKET, BLOG, BOTH = "investors-2026-Q3-market", "investors-2026-Q3-blog", "investors-2026-Q3-both"


def policy(folder: Path, name: str, until: str = "") -> Path:
    """A pack of one's own, whose clauses for the US end on a day."""
    text = (files("consent_filter") / "packs" / "workallies-2024.toml").read_text()
    text = text.replace('name = "workallies-2024"', f'name = "{name}"', 1)
    text = text.replace("since = 2021-06-27", f"since = 2021-06-27\n{until and f'until = {until}'}")
    (folder / f"{name}.toml").write_text(text)
    return folder / f"{name}.toml"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three releases that were approved: of the one site, of the other, and of both."""
    data = tmp_path_factory.mktemp("packs")
    site = '[[site]]\nid = "{}"\nregion = "EU"\n'
    (data / "throng.toml").write_text(site.format("market") + site.format("blog") + RECIPIENTS)
    for name, sites in ((MARKET, ("market",)), (BLOG, ("blog",)), (BOTH, ("blog", "market"))):
        packs.prepare(data, drafts.make(data, name, sites=sites, only=("growth",)), by="Ben Analyst")
        packs.approve(data, name, "Ada Officer")
    Signer(data / signing.FILE).key()
    return data


@pytest.fixture
def data(prepared: Path, tmp_path: Path) -> Path:
    """A copy, with a policy of its own for each site."""
    shutil.copytree(prepared, tmp_path / "data")
    where = SETTINGS.format(pack=policy(tmp_path, "first"), other=policy(tmp_path, "second"))
    (tmp_path / "data" / "throng.toml").write_text(where + RECIPIENTS)
    return tmp_path / "data"


class Asked(Asking):
    """The dashboards with the sites of the settings."""

    def __init__(self, data: Path, settings: Settings) -> None:
        from dashboards.app import create

        super().__init__(data, False, Warehouse())
        self._app = create(data, Dashboards(), Warehouse(), sites=Sites(settings.site))


@pytest.fixture
def asked(data: Path) -> Iterator[Asked]:
    one = Asked(data, load(data))
    yield one
    one.close()


def deliver(data: Path, release: str, to: str, times: int = 3) -> tuple[deliveries.Delivery, str]:
    one, word = packs.deliver(data, load(data), release, to, days=7, times=times)
    return one, f"/packs/{word}"


@pytest.mark.requirement("M126")
def test_an_account_of_a_recipient_fetches_what_was_delivered_to_it(data: Path) -> None:
    """And nobody else's; nor what the ledger no longer gives out."""
    mine, _ = deliver(data, MARKET, "fund", times=1)
    theirs, _ = deliver(data, MARKET, "bank")
    with house(data) as place:
        place.account("fund", Role.INVESTOR, recipients=["fund"])
        browser = place.browser()
        assert browser.sign_in("fund").headers["location"] == "/mine"
        page = browser.text("/mine")
        assert f"/mine/packs/{mine.id}" in page
        assert theirs.id not in page
        assert browser.get(f"/mine/packs/{theirs.id}").status_code == 404
        to = browser.get(f"/mine/packs/{mine.id}").headers["location"]
        assert "Fetch the pack" in browser.text(to)
        assert pack.sha256(browser.get(f"{to}/pack.zip").content) == mine.pack_sha256
        assert "as often as was agreed" in browser.text("/mine")
        assert browser.get("/").headers["location"] == "/mine"


@pytest.mark.requirement("M54", "M91", "M131", "S16")
def test_the_whole_way_from_a_draft_to_a_pack_that_is_checked_without_us(
    throng: Throng, data: Path, asked: Asked, tmp_path: Path
) -> None:
    made = drafts.make(data, "investors-2025-Q3-1", of="2025-Q3", only=("growth",))
    at = ("--period", "2025-Q3", "--draft", made.id, "--by", "Ben Analyst", "--format", "json")
    said = json.loads(throng("release", "investors", *at).out)
    assert (said["release"], said["version"], said["state"]) == (made.id, 1, "awaits approval")
    assert Path(said["look at"]).read_bytes().startswith(b"%PDF")
    refused = throng("release", "deliver", made.id, "--to", "fund")
    assert (refused.code, "not_approved" in refused.err) == (1, True)
    assert "same_person" in throng("release", "approve", made.id, "--by", " ben analyst").err
    assert throng("release", "approve", made.id, "--by", "Ada Officer").code == 0
    assert "state" in throng("release", "approve", made.id, "--by", "Ada Officer").err

    said = json.loads(
        throng("release", "deliver", made.id, "--to", "fund", "--times", "2", "--format", "json").out
    )
    where = said["link"].removeprefix("http://127.0.0.1:8601")
    page = asked.get(where)
    assert page.status_code == 200
    assert "2 more times" in page.text
    body = asked.get(f"{where}/pack.zip").content
    assert pack.sha256(body) == said["sha256"]
    assert asked.get(f"{where}/pack.zip").status_code == 200
    assert asked.get(f"{where}/pack.zip").status_code == 410

    # Elsewhere: the zip, the key, and nothing else.
    (tmp_path / "got.zip").write_bytes(body)
    (tmp_path / "key.json").write_text(throng("receipt", "key").out)
    nowhere, key = tmp_path / "nowhere", str(tmp_path / "key.json")
    checked = throng(
        "release", "verify", str(tmp_path / "got.zip"), "--key", key, "--format", "json", data=nowhere
    )
    found = json.loads(checked.out)
    assert (checked.code, found["verdict"], found["given"], found["terms"]) == (0, "valid", "fund", "T-7")
    assert not nowhere.exists()
    (tmp_path / "got.zip").write_bytes(body.replace(b"month", b"moonh", 1))
    checked = throng("release", "verify", str(tmp_path / "got.zip"), "--key", key, data=nowhere)
    assert (checked.code, "invalid" in checked.out) == (1, True)
    assert throng("release", "verify", str(tmp_path / "got.zip"), data=nowhere).code == 2

    manifest = pack.verify(
        pack.opened(deliveries.packed(data, said["delivery"])), [Signer(data / signing.FILE).key().public]
    )
    assert (
        manifest.given.permitted_use
        in pack.opened(deliveries.packed(data, said["delivery"]))["README.txt"].decode()
    )
    assert manifest.grounds[0].mechanism.startswith("standard contractual clauses")
    assert manifest.made_of["snapshot"] == 4711
    log = [
        json.loads(line) for line in throng("release", "log", made.id, "--format", "json").out.splitlines()
    ]
    assert [one["what"] for one in log] == ["prepared", "approved", "delivered", "fetched", "fetched"]


@pytest.mark.requirement("M53", "M54")
def test_a_partner_is_given_what_is_for_partners_and_nobody_else_is(
    throng: Throng, data: Path, tmp_path: Path
) -> None:
    made = drafts.make(data, "partner-2026-Q2", of="2026-Q2", audience="partner", only=("growth", "sources"))
    at = ("--period", "2026-Q2", "--draft", made.id, "--by", "Ben Analyst")
    assert throng("release", "partner", *at).code == 0
    assert throng("release", "approve", made.id, "--by", "Ada Officer").code == 0
    assert "(audience)" in throng("release", "deliver", made.id, "--to", "fund").err
    assert "(audience)" in throng("release", "deliver", MARKET, "--to", "mate").err
    said = json.loads(throng("release", "deliver", made.id, "--to", "mate", "--format", "json").out)
    pinned = [Signer(data / signing.FILE).key().public]
    files = pack.opened(deliveries.packed(data, said["delivery"]))
    manifest = pack.verify(files, pinned)
    assert (manifest.given.recipient, manifest.given.terms) == ("mate", "T-7")
    assert "Partner report" in files["index.html"].decode()
    assert {"tables/growth.csv", "tables/sources.csv"} <= set(files)


@pytest.mark.parametrize(
    ("release", "to", "code"),
    [
        (MARKET, "nobody", "recipient"),
        (MARKET, "gone", "recipient_expired"),
        (MARKET, "shop", "audience"),
        (MARKET, "moon", "region"),
        ("no-such", "fund", "draft"),
    ],
)
def test_who_may_not_have_it_is_told_why_and_gets_nothing(
    throng: Throng, data: Path, release: str, to: str, code: str
) -> None:
    said = throng("release", "deliver", release, "--to", to)
    assert (said.code, f"({code})" in said.err) == (1, True)
    with deliveries.ledger(data) as book:
        assert book.deliveries() == []
    assert not (data / "releases" / "packs").exists()


def test_a_draft_that_was_changed_is_neither_approved_nor_delivered(data: Path) -> None:
    file = draft.folder(data) / MARKET / draft.FILE
    file.write_bytes(file.read_bytes().replace(b'"confidence": 0.95', b'"confidence": 0.99'))
    with pytest.raises(Exception, match="not the one that was approved"):
        deliver(data, MARKET, "fund")
    (draft.folder(data) / BLOG / "growth.parquet").write_bytes(b"PAR1")
    with pytest.raises(Exception, match="not the one that the draft was made with"):
        deliver(data, BLOG, "fund")


def test_a_recipient_that_has_pinned_another_key_is_not_given_what_it_would_refuse(data: Path) -> None:
    other = Signer(data.parent / "other.key").key().public.jwk()["x"]
    text = (data / "throng.toml").read_text()
    (data / "throng.toml").write_text(text.replace('name = "fund"', f'name = "fund"\nkey = "{other}"'))
    with pytest.raises(Exception, match="pinned another key"):
        deliver(data, MARKET, "fund")
    own = Signer(data / signing.FILE).key().public.jwk()["x"]
    (data / "throng.toml").write_text(text.replace('name = "fund"', f'name = "fund"\nkey = "{own}"'))
    assert deliver(data, MARKET, "fund")[0].recipient == "fund"


def test_whoever_objects_before_is_heard(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []

    def object_(*said: Any) -> None:
        heard.append(said)
        raise packs.Refused(409, "attack", "cells of growth could be told apart")

    monkeypatch.setattr(objections, "BEFORE_APPROVAL", (object_,))
    monkeypatch.setattr(objections, "BEFORE_DELIVERY", (object_,))
    text = (data / "throng.toml").read_text()
    for name in ("fund", "bank"):
        text = text.replace(f'name = "{name}"', f'name = "{name}"\ncoalition = "city"')
    (data / "throng.toml").write_text(text)
    with pytest.raises(packs.Refused, match="told apart"):
        deliver(data, MARKET, "fund")
    assert [one.name for one in heard[0][3]] == ["bank"]
    packs.prepare(data, drafts.make(data, "next", of="2026-Q2", only=("growth",)))
    with pytest.raises(packs.Refused, match="told apart"):
        packs.approve(data, "next", "Ada Officer")
    with deliveries.ledger(data) as book:
        assert book.state("next") == deliveries.AWAITS
        assert book.deliveries() == []


def test_a_draft_that_is_not_what_it_says_is_not_approved(data: Path) -> None:
    """Planted: nobody looks; then a number without noise would go out as one with it."""
    made = drafts.make(data, "bare", of="2026-Q2", only=("liquidity",))
    (one,) = made.tables
    bare = tuple(replace(number, scale=0.0) for number in one.numbers)
    draft.write(data, replace(made, tables=(replace(one, numbers=bare),)))
    packs.prepare(data, draft.read(data, "bare"))
    with pytest.raises(packs.Refused, match="noise that hides what one person adds: not so in liquidity"):
        packs.approve(data, "bare", "Ada Officer")
    (run, *_) = runs.past(snapshot.folder(data) / "validation")
    assert (run["suite"], bool(run["failures"])) == ("release", True)


@pytest.mark.requirement("S16")
def test_a_draft_is_attacked_before_and_a_delivery_looks_at_what_is_there_already(data: Path) -> None:
    """A draft whose rows stand in the order in which they came is not approved; a recipient's figures are
    remembered with the first delivery."""
    made = drafts.make(data, "weak", of="2026-Q2", only=("liquidity",))
    table = draft.table(data, "weak", "liquidity")
    file = draft.folder(data) / "weak" / "liquidity.parquet"
    pq.write_table(table.sort_by([("people", "descending")]), file)
    said = replace(made.tables[0], sha256=pack.sha256(file.read_bytes()))
    draft.write(data, replace(made, tables=(said,)))
    packs.prepare(data, draft.read(data, "weak"))
    with pytest.raises(packs.Refused, match="an attack succeeds: liquidity"):
        packs.approve(data, "weak", "Ada Officer")
    with Figures.open(data) as book:
        assert book.held(["fund"]) == []
    deliver(data, MARKET, "fund")
    with Figures.open(data) as book:
        assert book.held(["fund"]) != []


@pytest.mark.requirement("M84")
def test_whoever_was_given_a_recalled_release_is_told_and_its_links_end(
    throng: Throng, data: Path, asked: Asked
) -> None:
    _, link = deliver(data, BOTH, "fund")
    _, other = deliver(data, MARKET, "fund")
    deliver(data, BOTH, "bank")
    said = json.loads(
        throng("release", "recall", BOTH, "--why", "robots were counted", "--format", "json").out
    )
    assert said["told"] == ["fund", "bank"]
    for name in said["notices"]:
        text = Path(name).read_text()
        assert BOTH in text
        assert "robots were counted" in text
        assert "T-7" in text
    page = asked.get(link)
    assert (page.status_code, "robots were counted" in page.text) == (410, True)
    assert asked.get(f"{link}/pack.zip").status_code == 410
    assert asked.get(other).status_code == 200
    assert "not_approved" in throng("release", "deliver", BOTH, "--to", "bank").err
    assert "state" in throng("release", "recall", BOTH, "--why", "again").err


@pytest.mark.requirement("M84")
def test_a_recall_is_mailed_where_a_recipient_has_an_address(throng: Throng, data: Path) -> None:
    """A server that refuses costs nobody the notice: it lies in the folder, and says that it was not sent."""
    with Mailbox() as box:
        threading.Thread(target=box.serve_forever, daemon=True).start()
        file = data / "throng.toml"
        mail = f'mail_host = "127.0.0.1"\nmail_port = {box.server_address[1]}\nmail_tls = "none"'
        said = file.read_text().replace('name = "fund"', 'name = "fund"\nmail = "desk@fund.example"')
        file.write_text(f'{said}\n[rights]\n{mail}\nmail_from = "numbers@shop.example"\n')
        for to in ("fund", "bank"):
            deliver(data, BOTH, to)
            deliver(data, MARKET, to)
        throng("release", "recall", BOTH, "--why", "robots were counted")
        ((to, text),) = box.mails
        assert [line.lower() for line in to] == ["rcpt to:<desk@fund.example>"]
        assert "robots were counted" in text
        assert BOTH in text
        assert "From: numbers@shop.example" in text
        box.broken = True
        told = recalling.recall(data, load(data), MARKET, "two days were missing")
        assert [(one.recipient, one.mailed) for one in told] == [("fund", False), ("bank", False)]
        assert all(one.file.exists() for one in told)
        box.shutdown()


def test_a_correction_is_a_version_with_a_reason_and_ends_the_one_before(data: Path, asked: Asked) -> None:
    _, link = deliver(data, MARKET, "fund")
    mended = drafts.make(data, "mended", sites=("market",), seed=3, only=("growth",))
    with pytest.raises(packs.Refused, match="say --why"):
        packs.prepare(data, mended)
    assert packs.prepare(data, mended, why="robots were counted").version == 2
    assert packs.prepare(data, mended).version == 2  # again, it is the same
    assert asked.get(link).status_code == 200  # nobody has approved the other one yet
    packs.approve(data, "mended", "Ada Officer")
    with deliveries.ledger(data) as book:
        told = recalling.restate(data, load(data), book.release("mended"))
    assert [one.recipient for one in told] == ["fund"]
    answer = asked.get(link)
    assert (answer.status_code, "robots were counted" in answer.text) == (410, True)
    with pytest.raises(packs.Refused, match="newer version"):
        deliver(data, MARKET, "fund")
    one, _ = deliver(data, "mended", "fund")
    manifest = pack.verify(
        pack.opened(deliveries.packed(data, one.id)), [Signer(data / signing.FILE).key().public]
    )
    assert [(r.version, r.release, r.why) for r in manifest.revisions] == [
        (1, MARKET, ""), (2, "mended", "robots were counted"),
    ]  # fmt: skip


@pytest.mark.requirement("S20", "M101")
def test_when_a_mechanism_ends_what_stands_on_it_is_frozen_within_one_pass_and_nothing_else(
    throng: Throng, data: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sites with a policy each, three releases, two recipients: what freezes equals a look at each."""
    links = {(of, to): deliver(data, of, to) for of in (MARKET, BLOG, BOTH) for to in ("fund", "bank")}
    for step in ("rights", "facts", "reports", "publish"):
        monkeypatch.setattr(f"throng.jobs.{step}", lambda *a, **k: {})
    assert loop.whole_pass(data)["releases"] == {"frozen": 0, "prepared": 0}

    policy(data.parent, "first", until="2026-11-01")
    loop.whole_pass(data)
    for (of, to), (one, link) in links.items():
        affected = to == "fund" and of in (MARKET, BOTH)
        assert asked.get(link).status_code == (451 if affected else 200), (of, to)
        assert asked.get(f"{link}/pack.zip").status_code == (451 if affected else 200)
        with deliveries.ledger(data) as book:
            assert bool(book.frozen(one.id)) == affected
        if affected:
            with pytest.raises(packs.Refused, match=r"no \[\[transfers\]\]"):
                deliver(data, of, to)
    said = throng("release", "frozen", "--format", "json")
    printed = [json.loads(line) for line in said.out.splitlines()]
    assert said.code == 1
    assert {(one["release"], one["recipient"], one["site"], one["table"]) for one in printed} == {
        (MARKET, "fund", "market", "growth"), (BOTH, "fund", "market", "growth"),
    }  # fmt: skip

    policy(data.parent, "first")
    loop.whole_pass(data)
    assert asked.get(links[MARKET, "fund"][1]).status_code == 200
    steps = [
        json.loads(line)["what"]
        for line in throng("release", "log", MARKET, "--format", "json").out.splitlines()
    ]
    assert [step for step in steps if step not in ("delivered", "fetched")] == [
        "prepared", "approved", "frozen", "thawed",
    ]  # fmt: skip


def test_a_day_that_comes_while_the_pages_run_ends_a_link_by_itself(data: Path) -> None:
    """Nobody else needs to look."""
    policy(data.parent, "first", until="2099-01-01")
    _, link = deliver(data, MARKET, "fund")
    policy(data.parent, "first", until="2026-11-01")
    one = Asked(data, load(data))
    answer = one.get(link)
    one.close()
    assert (answer.status_code, "no [[transfers]]" in answer.text) == (451, True)


@pytest.mark.parametrize("word", ["x", "a.b.c", "../../etc/passwd", "00.99999999999999.AAAA"])
def test_what_is_no_link_gives_nothing(data: Path, asked: Asked, word: str) -> None:
    assert asked.get(f"/packs/{word}").status_code == 404
    assert asked.get(f"/packs/{word}/pack.zip").status_code == 404


def test_a_pack_that_was_changed_on_the_disk_is_not_given_out(data: Path, asked: Asked) -> None:
    one, link = deliver(data, MARKET, "bank")
    deliveries.packed(data, one.id).write_bytes(b"PK")
    with pytest.raises(Exception, match="not the one that was signed"):
        asked.get(f"{link}/pack.zip")
    with deliveries.ledger(data) as book:
        assert book.fetches(one.id) == []


def test_the_schedule_prepares_what_is_over_and_a_person_approves(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (data / "throng.toml").open("a") as file:
        file.write('[[schedule]]\naudience = "investors"\nevery = "quarter"\nsites = ["market"]\n')
    settings = load(data)
    (line,) = due.prepare(data, settings, date(2026, 10, 20))
    assert (line["release"], line["state"]) == (MARKET, deliveries.APPROVED)

    def drafted(*said: Any, **more: Any) -> draft.Draft:
        return drafts.make(data, "new", of=said[3], sites=said[4], only=("growth",))

    monkeypatch.setattr(packs, "drafted", drafted)
    (line,) = due.prepare(data, settings, date(2027, 1, 20))
    assert (line["period"], line["release"], line["state"]) == ("2026-Q4", "new", deliveries.AWAITS)
    (line,) = due.prepare(data, settings, date(2027, 1, 21))
    assert line["release"] == "new"

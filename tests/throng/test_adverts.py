"""`throng adverts`: the list by hand, from CSV, with its editions; and the addresses that it prints work."""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from consent_filter.advert_links import Seals, token, whose
from consent_filter.pseudonym import Keyring
from consent_filter.site import Site
from consent_filter.tokens import Tokens, id_of
from ingest.protocols import ROUTES, Parsing, parse
from ingest.request import Browser, Request
from ingest.settings import Ingest, Sites
from tests.warehouse.test_catalogue import LISTED
from throng import adverts_options, lock
from throng.main import main
from warehouse import catalogue, catalogue_file, elsewhere
from warehouse.catalogue_rows import KINDS

CAMPAIGNS = """\
id;advertiser;name;starts;ends;impressions
spring;acme;"Spring; again";2026-03-01;2026-04-30;7000
autumn;acme;Autumn;2026-09-01;2026-09-30;
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "throng.toml").write_text('[[site]]\nid = "shop"\n')
    (tmp_path / "adverts.toml").write_text(LISTED)
    Keyring.open(tmp_path / "keys.json")
    return tmp_path


def run(data: Path, *said: str) -> int:
    return main(["adverts", said[0], "--data", str(data), *said[1:]])


def test_kinds_are_the_lists_own() -> None:
    assert tuple(KINDS) == adverts_options.KINDS


def test_a_list_is_written_as_it_is_read(tmp_path: Path) -> None:
    found = catalogue.parse(LISTED.encode())
    catalogue_file.write(tmp_path / "adverts.toml", found, "ada · x\n", 'first "one"')
    assert catalogue.read(tmp_path / "adverts.toml") == found
    said = catalogue_file.edition(tmp_path / "adverts.toml")
    assert (said.number, said.who, said.what) == (1, "ada x", 'first "one"')


def test_rows_from_a_file_are_all_taken_or_none_and_who_did_it_stays(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "some.csv"
    file.write_text("\ufeff" + CAMPAIGNS)
    assert run(data, "import", str(file), "--kind", "campaign", "--by", "ada", "--dry-run") == 0
    assert "1 added, 1 changed, 0 same: nothing was written" in capsys.readouterr().out
    assert run(data, "import", str(file), "--kind", "campaign", "--by", "ada") == 0
    found = catalogue.read(data / "adverts.toml")
    assert [one.id for one in found.campaign] == ["spring", "brand", "autumn"]
    assert found.campaign[0].name == "Spring; again"
    # What was written by hand before is an edition, too.
    assert run(data, "history", "--format", "json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [(one["number"], one["who"]) for one in told] == [(1, "by hand"), (2, "ada")]
    assert catalogue.read(data / "adverts" / "1.toml") == catalogue.parse(LISTED.encode())
    # Again it is the same; a wrong line changes nothing and is named.
    assert run(data, "import", str(file), "--kind", "campaign", "--by", "ada") == 0
    before = (data / "adverts.toml").read_bytes()
    for wrong, says in (
        (CAMPAIGNS + "x;acme;X;2026-13-01;;\n", "line 4: starts"),
        (CAMPAIGNS + "x;acmee;X;;;\n", "campaign x.advertiser"),
        (CAMPAIGNS.replace("impressions", "imprssions"), "line 2: imprssions"),
        ("id;name\nx;X\n", "line 2: advertiser"),
        (CAMPAIGNS + "x;acme;X;2026-03-02;2026-03-01;\n", "line 4: campaign x.ends"),
        ("id,id\n", "line 1"),
    ):
        file.write_text(wrong)
        assert run(data, "import", str(file), "--kind", "campaign") == 2
        assert says in capsys.readouterr().err
    assert (data / "adverts.toml").read_bytes() == before
    assert run(data, "check") == 0
    assert "3 campaigns" in capsys.readouterr().out
    (data / "adverts.toml").write_text("[[campaign]]\n")
    assert run(data, "check") == 2


def test_a_file_of_several_kinds_says_which(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "some.csv"
    file.write_text("kind,id,campaign,starts,ends\ngoal,buy,brand,,\nflight,,brand,2026-05-01,2026-05-31\n")
    assert run(data, "import", str(file)) == 0
    found = catalogue.read(data / "adverts.toml")
    assert (found.goal[-1].id, found.flight[-1].campaign) == ("buy", "brand")


@pytest.mark.requirement("M35")
def test_what_is_printed_is_what_the_collector_takes(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every address of a campaign, called as an image, a player or an exchange would."""
    at = [
        "--at",
        "https://collect.shop.example",
        "--to",
        "https://www.acme.example/offer?x=1",
        "--format",
        "json",
    ]
    assert run(data, "tags", "spring", *at, "--signal", "none") == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["site"], one["creative"], one["placement"]) == ("shop", "spring-mpu", "front-top")
    (data / "adverts.toml").write_text(LISTED.replace('size = "300x250"', 'kind = "video"'))
    assert run(data, "tags", "spring", *at, "--signal", "none") == 0
    (video,) = json.loads(capsys.readouterr().out)
    assert len(video["addresses"]) == len(one["addresses"]) + 21
    seals = Seals.of(Keyring.open(data / "keys.json"))
    parsing = Parsing(Sites([Site(id="shop")]), Ingest(), seals=seals)
    browser = Browser(("Firefox", ("", "", ""), None))
    now, types = int(time.time() * 1000), set()
    for name, address in video["addresses"].items():
        parts = urlsplit(re.sub(r"\[\w+\]|\$\{\w+\}", "", address))
        assert parts.netloc == "collect.shop.example"
        asked = Request(ROUTES[parts.path][1], "GET", parts.query.encode(), b"", "192.0.2.1", browser, now)
        parsed = parse([asked], parsing)
        assert parsed.answers[0].status in (200, 302), name
        types |= set(parsed.raw.type.rows())
        (ad,) = parsed.raw.ad.rows()
        assert (ad.campaign, ad.creative, ad.placement) == ("spring", "spring-mpu", "front-top"), name
    assert types == {"ad_request", "ad_impression", "ad_viewable", "ad_video", "ad_click"}


def test_addresses_are_not_made_for_what_cannot_be(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--at", "https://collect.shop.example"]
    for said, says in (
        (["tags", "sprnig", *at], "brand"),
        (["tags", "spring", *at, "--to", "https://evil.example/"], "acme.example"),
        (["tags", "spring", *at, "--to", "javascript:0"], "--to"),
        (["tags", "spring", *at, "--days", "0"], "--days"),
        (["tags", "brand", *at], "--site"),
        (["tags", "spring", "--at", "http://collect.shop.example"], "--at"),
        (["token", "", "--for", "servers"], "NAME"),
    ):
        assert run(data, *said) == 2
        assert says in capsys.readouterr().err
    assert run(data, "show", "spring") == 0
    assert "front-top" in capsys.readouterr().out
    assert run(data, "list") == 0
    assert "7000" in capsys.readouterr().out
    assert run(data, "tags", "spring", *at, "--to", "https://acme.example/") == 0
    assert '<img src="https://collect.shop.example/ad/impression?site=shop&amp;campaign=spring' in (
        capsys.readouterr().out
    )


def test_tokens_are_listed_without_being_kept_and_taken_back_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Keyring.open(tmp_path / "keys.json")
    made = []
    for name in ("ssp", "ssp", "shop"):  # two of one name may be of two days
        assert run(tmp_path, "token", name, "--for", "servers", "--days", str(30 + len(made))) == 0
        made.append(capsys.readouterr().out.strip())
    seals = Seals.of(Keyring.open(tmp_path / "keys.json"))
    good = lambda: [whose(seals, one, "servers", time.time(), Tokens(tmp_path)) for one in made]  # noqa: E731
    assert run(tmp_path, "tokens", "--format", "json") == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted((one["name"], one["state"]) for one in listed) == [("shop", "good")] + [("ssp", "good")] * 2
    assert run(tmp_path, "revoke", id_of(made[0])) == 0
    assert good() == [None, "ssp", "shop"]
    assert run(tmp_path, "revoke", id_of(made[0])) == 1
    assert run(tmp_path, "revoke", "zq7") == 1
    # One that is older than the list is taken back by itself.
    (tmp_path / "tokens.sqlite").unlink()
    assert good() == ["ssp", "ssp", "shop"]
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{made[1]}\n"))
    assert run(tmp_path, "revoke", "-") == 0
    assert good() == ["ssp", None, "shop"]
    monkeypatch.setattr("sys.stdin", io.StringIO("th1.servers.c3Nw.1.wrong\n"))
    assert run(tmp_path, "revoke", "-") == 1
    held = (tmp_path / "tokens.sqlite").read_bytes()
    assert not [one for one in made if one.encode() in held or one.split(".")[4].encode() in held]
    # While nobody can tell which were taken back, none is believed.
    (tmp_path / "tokens.sqlite").write_bytes(b"no database")
    assert good() == [None, None, None]


def test_a_token_is_for_one_use_and_ends() -> None:
    seals = Seals(b"k" * 32)
    made = token(seals, "servers", "ssp · nørth", 1000)
    assert whose(seals, made, "servers", 1000) == "ssp · nørth"
    assert whose(seals, made, "servers", 1001) is None
    assert whose(seals, made, "catalogue", 1) is None
    assert whose(Seals(b"j" * 32), made, "servers", 1) is None
    for wrong in (
        "",
        "th1",
        made[:-1],
        made + ".",
        made.replace("1000", "9000"),
        "é" * 9,
        made.replace(".", ".."),
    ):
        assert whose(seals, wrong, "servers", 1) is None


@pytest.mark.requirement("M77")
def test_of_campaigns_elsewhere_sums_are_taken_in_and_nothing_else(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "totals.csv"
    good = "day,source,campaign,impressions,clicks,cost\n2026-03-01,google,spring,1200,8,3.5\n"
    file.write_text(good + "2026-03-02,google,spring,800,4,2\n")
    assert run(data, "elsewhere", str(file), "--format", "json") == 0
    said = capsys.readouterr()
    assert "2 new, 0 changed" in said.err
    assert json.loads(said.out)["cost"] == 5.5
    file.write_text(good.replace("3.5", "4.0"))
    assert run(data, "elsewhere", str(file), "--until", "2026-03-01", "--format", "json") == 0
    said = capsys.readouterr()
    assert ("0 new, 1 changed" in said.err, json.loads(said.out)["cost"]) == (True, 4.0)
    before = (data / "elsewhere.csv").read_bytes()
    for wrong in (
        good.replace("clicks", "gclid"),
        good.replace("cost", "user_id"),
        good + good.partition("\n")[2],
        good.replace("google", "ann@mail.example"),
        good.replace("spring", "0151-2345678"),
        good.replace("1200", "-1"),
        good.replace("3.5", "nan"),
        good.replace("2026-03-01", "yesterday"),
        good.replace("3.5", "3.5,zq7"),
        "day,source\n",
    ):
        file.write_text(wrong)
        assert run(data, "elsewhere", str(file)) == 2
        told = capsys.readouterr().err
        assert not [value for value in ("ann@", "0151", "zq7") if value in told]
    assert (data / "elsewhere.csv").read_bytes() == before


def test_advertisers_are_those_of_the_list_that_is_in_use(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "adverts.toml").rename(data / "ours.toml")
    link = ["advertisers", "link", "acme", "--at", "https://numbers.example", "--data", str(data)]
    assert main(link) == 1
    assert "no_such_advertiser" in capsys.readouterr().err
    with (data / "throng.toml").open("a") as settings:
        settings.write('[adverts]\ncatalogue = "ours.toml"\n')
    assert main(link) == 0
    assert capsys.readouterr().out.startswith("acme: ")
    with lock.shown(data, 9701):  # planted: port 8090, at which nothing ever was
        assert main(link[:3] + link[5:]) == 0
    assert "\nhttp://127.0.0.1:9701/advertiser/" in capsys.readouterr().out


def test_what_others_say_stands_beside_the_visits_here() -> None:
    totals = elsewhere.parse(
        "day;source;campaign;clicks;cost\n2026-03-01;a;spring;5;10\n2026-03-01;b;spring;5;10\n2026-03-01;b;x;1;1\n"
    )
    rows = elsewhere.beside(totals, [("spring", 40), ("(none)", 9)])
    assert [(one["campaign"], one["clicks"], one["visits_here"], one["cost_a_visit"]) for one in rows] == [
        ("spring", 10, 40, 0.5),
        ("x", 1, None, None),
    ]


def test_status_says_that_the_list_is_wrong(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = {"at": time.time(), "seconds": 1, "reports": {"catalogue": "campaign x.advertiser = 'acne'"}}
    (data / "status.json").write_text(json.dumps(said))
    main(["status", "--data", str(data)])
    assert "ADVERTS    the list is wrong, the last one is in use: campaign x" in capsys.readouterr().out

"""`throng adverts`: the list by hand, from CSV, with its editions; and the addresses that it prints work."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from consent_filter.advert_links import Seals, token, whose
from consent_filter.pseudonym import Keyring
from consent_filter.site import Site
from ingest.protocols import ROUTES, Parsing, parse
from ingest.request import Browser, Request
from ingest.settings import Ingest, Sites
from tests.warehouse.test_catalogue import LISTED
from throng import adverts_options
from throng.main import main
from warehouse import catalogue, catalogue_file
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

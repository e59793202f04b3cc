"""Every setting is explained: a key that docs/settings.md does not list is one nobody can find."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from consent_filter.errors import Misconfigured
from consent_filter.site import Site
from ingest.settings import Sites
from throng.main import main
from throng.settings import Settings, load
from warehouse.recipient import Processor, Recipient, Schedule

#: Tables of which there may be several.
MANY = {"site": Site, "recipient": Recipient, "processor": Processor, "schedule": Schedule}
ROOT = Path(__file__).resolve().parent.parent.parent


def keys() -> Iterator[tuple[str, str]]:
    """Every table and key that the settings file may have."""
    for table in msgspec.structs.fields(Settings):
        kind = MANY.get(table.name) or type(getattr(Settings(), table.name))
        for field in msgspec.structs.fields(kind):
            yield table.name, field.name


def test_every_key_is_in_the_docs() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    for table, name in keys():
        head = f"[[{table}]]" if table in MANY else f"[{table}]"
        section = text.split(f"## `{head}`\n")[1].split("\n## ")[0]
        assert f"| `{name}` |" in section, f"{table}.{name}"


def test_every_key_is_read() -> None:
    """A setting that nothing asks for would be believed, and do nothing."""
    read = set()
    for room in ("consent_filter", "ingest", "warehouse", "pipelines", "dashboards", "throng"):
        for module in (ROOT / room).rglob("*.py"):
            if module.name not in ("settings.py", "site.py"):
                tree = ast.parse(module.read_text())
                read |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    asked = {f"{table}.{name}" for table, name in keys() if name not in read}
    assert asked <= {"warehouse.max_hours", "warehouse.max_sum"}, "`Warehouse.most` reads them"


def test_who_answers_for_a_site_is_a_name_and_an_address() -> None:
    assert Site(id="shop", controller="x" * 500).controller
    with pytest.raises(Misconfigured, match=r"site\.controller"):
        Site(id="shop", controller="x" * 501)


def test_an_unknown_key_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "throng.toml").write_text("[ingest]\nprot = 1\n")
    with pytest.raises(Misconfigured, match="prot"):
        load(tmp_path)


@pytest.mark.requirement("M4")
def test_all_names_of_a_site_are_one_and_a_name_is_of_one_site() -> None:
    sites = Sites(
        [Site(id="shop", aliases=("Work bags", "Worktop", "Shop")), Site(id="Shop2"), Site(id="shop3")]
    )
    for name in ("shop", "Work bags", " work   BAGS ", "WORKTOP", "SHOP"):
        assert sites.named(name) == "shop"
    assert [sites.named(name) for name in ("Shop2", "shop2", "Worktops", "")] == [
        "Shop2",
        "shop2",
        "Worktops",
        "",
    ]
    assert "Worktop" not in sites, "an event names the id"
    for wrong in (
        [Site(id="a", aliases=("Worktop",)), Site(id="b", aliases=("worktop",))],
        [Site(id="a", aliases=("B",)), Site(id="b")],
        [Site(id="b"), Site(id="a", aliases=("B",))],
    ):
        with pytest.raises(Misconfigured, match="aliases"):
            Sites(wrong)
    assert Sites().named("Worktop") == "Worktop"


@pytest.mark.requirement("M4")
def test_a_command_may_call_a_site_by_another_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "throng.toml").write_text('[[site]]\nid = "shop"\naliases = ["Work bags"]\n')
    line = '198.51.100.7 - - [01/Jan/2024:00:00:00 +0000] "GET /a HTTP/1.1" 200 7 "-" "Firefox/140.0"\n'
    (tmp_path / "one.log").write_text(line)
    data = ["--data", str(tmp_path)]
    assert main(["import", *data, "--site", "work bags", str(tmp_path / "one.log")]) == 0
    assert "WHERE site = 'shop'" in capsys.readouterr().out
    assert main(["import", *data, "--site", "Worktop", str(tmp_path / "one.log")]) == 2
    asked = ["rights", "enter", *data, "--site", "Work bags", "--right", "access", "--user-id", "canary-7"]
    assert (
        main(
            [
                *asked,
                "--received",
                "2026-11-20",
                "--channel",
                "letter",
                "--officer",
                "Ada",
                "--note",
                "a letter",
            ]
        )
        == 0
    )
    found = capsys.readouterr().out
    assert "shop" in found
    assert "Work bags" not in found

"""Every row says of which region it is, and no job takes it to another one without a mechanism (M100)."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from consent_filter import policy
from consent_filter.errors import Misconfigured, Refused
from ingest.log.segment import SegmentLog
from tests.pipelines.comeback import collect
from tests.throng.conftest import Throng
from throng import backup, jobs, placing, restore
from throng.settings import load
from warehouse.homes import homes
from warehouse.lake import Lake

TODAY = date.today()
#: What a pack says of its mechanism's days: since, until. "Not yet" must last over a midnight in the run.
DAYS = {
    "in force": (None, None),
    "over": (None, TODAY),
    "not yet": (TODAY + timedelta(days=2), None),
    "none": None,
}


def pack(folder: Path, to: str = "US", days: str = "in force", origin: str = "") -> Path:
    """A pack of its own, with that mechanism alone."""
    shipped = Path(policy.__file__).parent / "packs" / "worktasker-2014.toml"
    text = shipped.read_text()
    if found := DAYS[days]:
        since, until = found
        text += f'\n[[transfers]]\nto = "{to}"\nmechanism = "clauses"\norigin = "{origin}"\n'
        text += f"since = {since}\n" if since else ""
        text += f"until = {until}\n" if until else ""
    file = folder / "own.toml"
    file.write_text(text)
    return file


def settings(data: Path, here: str, region: str = "", more: str = "") -> None:
    site = f'[[site]]\nid = "shop"\npack = "{data.parent / "own.toml"}"\nregion = "{region}"\n'
    lies = f'[folder]\nregion = "{here}"\n' if here else ""
    (data / "throng.toml").write_text(f"{site}{lies}[warehouse]\nmin_group = 1\n{more}")


@pytest.fixture(scope="module")
def european(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the EU with rows of the EU."""
    data = tmp_path_factory.mktemp("european") / "data"
    data.mkdir()
    pack(data.parent, days="none")
    settings(data, "EU")
    (site,) = load(data).site
    collect(data, [f"person-{n}" for n in range(12)], "collector", [0, 1], time.time(), site)
    jobs.facts(data)
    return data


@pytest.fixture
def data(european: Path, tmp_path: Path) -> Path:
    shutil.copytree(european, tmp_path / "data", symlinks=True)
    shutil.copy(european.parent / "own.toml", tmp_path)
    settings(tmp_path / "data", "EU")
    return tmp_path / "data"


def rows(data: Path) -> list[tuple[str, str]]:
    lake = Lake.open(data)
    assert lake is not None
    try:
        assert lake.count() == 24
        return homes(lake)
    finally:
        lake.close()


@pytest.mark.requirement("M100")
def test_every_row_says_its_region_in_the_log_and_in_the_facts(data: Path) -> None:
    (site,) = load(data).site
    assert site.region == "EU", "the folder's, where the site names none"
    assert rows(data) == [("shop", "EU")]
    collect(data, ["one"], "collector", [9], time.time(), site)
    log = SegmentLog(data / "log")
    read = [record for _, record in log.read({"collector": 0}, log.end())]
    log.close()
    assert [home for record in read for home in record.batch["home"].to_pylist()][-1] == "EU"


JOBS: dict[str, Callable[[Path], object]] = {
    "facts": jobs.facts,
    "reports": jobs.reports,
    "publish": jobs.publish,
    "backup": lambda data: backup.make(data, data.parent / "place", 30),
}


@pytest.mark.requirement("M100")
@pytest.mark.parametrize("days", DAYS)
def test_rows_that_were_moved_are_read_only_while_a_mechanism_holds(days: str, data: Path) -> None:
    """The folder now lies elsewhere, and says so: its rows are still of the region that they came from."""
    pack(data.parent, days=days)
    settings(data, "US")
    for name, job in JOBS.items():
        if days == "in force":
            if name in ("facts", "backup"):  # the others take ten seconds to begin with
                job(data)
        else:
            with pytest.raises(Refused, match="would take rows of region EU to region US") as refused:
                job(data)
            assert (refused.value.status, refused.value.code) == (403, "region"), name
    jobs.rights(data)  # whoever asks to be erased is erased wherever the rows are


@pytest.mark.requirement("M100")
@pytest.mark.parametrize(("origin", "allowed"), [("EU", True), ("CH", False)])
def test_a_mechanism_for_rows_from_elsewhere_carries_none_of_these(
    origin: str, allowed: bool, data: Path
) -> None:
    pack(data.parent, origin=origin)
    settings(data, "US", "EU")
    if allowed:
        jobs.facts(data)
    else:
        with pytest.raises(Refused, match="region EU to region US"):
            jobs.facts(data)


@pytest.mark.requirement("M100")
def test_rows_of_a_site_that_the_settings_forgot_stay_where_they_are(data: Path) -> None:
    settings(data, "US")
    (data / "throng.toml").write_text('[folder]\nregion = "US"\n[[site]]\nid = "other"\n')
    with pytest.raises(Refused, match="their site is none of the settings"):
        jobs.facts(data)


@pytest.mark.requirement("M100")
def test_rows_from_before_regions_were_named_are_where_the_folder_is(data: Path) -> None:
    lake = Lake.open(data, write=True)
    assert lake is not None
    lake.connection.execute("UPDATE lake.events SET home = NULL")
    lake.close()
    settings(data, "US")
    jobs.facts(data)


@pytest.mark.requirement("M100")
def test_a_backup_goes_to_another_region_only_on_a_mechanism(data: Path) -> None:
    settings(data, "EU", more='[backup]\nregion = "US"\n')
    with pytest.raises(Refused, match="a backup would take rows of region EU to region US"):
        backup.make(data, data.parent / "place", 30)
    assert not (data.parent / "place").exists()
    pack(data.parent)
    made = backup.make(data, data.parent / "place", 30)
    assert backup.manifest(made)["region"] == "US"


@pytest.mark.requirement("M100")
def test_a_backup_of_another_region_is_restored_only_on_a_mechanism(data: Path, throng: Throng) -> None:
    made = backup.make(data, data.parent / "place", 30)
    target = data.parent / "elsewhere"
    said = throng("restore", str(made), data=target)
    assert said.code != 0
    assert "say where this is, with --region" in said.err
    said = throng("restore", str(made), "--region", "US", data=target)
    assert said.code != 0
    assert "a restore would take rows of region EU to region US" in said.err
    assert not target.exists()
    assert not restore.leftovers(target)
    pack(data.parent)
    assert throng("restore", str(made), "--region", "US", data=target).code == 0
    assert load(target).folder.region == "US"
    assert rows(target) == [("shop", "EU")], "they stay what they are"
    pack(data.parent, days="over")
    with pytest.raises(Refused, match="the reports job would take rows of region EU to region US"):
        jobs.reports(target)


@pytest.mark.requirement("M100")
def test_a_log_is_imported_only_where_its_site_may_be_read(data: Path, throng: Throng) -> None:
    log = data.parent / "access.log"
    log.write_text('192.0.2.7 - - [27/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "Mozilla/5.0"\n')
    settings(data, "US", "EU")
    said = throng("import", str(log), "--site", "shop")
    assert said.code != 0
    assert "an import would take rows of region EU to region US" in said.err
    settings(data, "EU", "EU")
    assert throng("import", str(log), "--site", "shop").code == 0


@pytest.mark.requirement("M100")
def test_check_says_which_site_is_where_it_may_not_be(data: Path, throng: Throng) -> None:
    settings(data, "US", "EU")
    said = throng("check")
    assert "shop: rows of EU, kept in US: nothing allows it" in said.out
    pack(data.parent)
    said = throng("check")
    assert "shop: rows of EU, kept in US, by clauses" in said.out
    assert "WRONG" not in said.out


@pytest.mark.requirement("M100")
@pytest.mark.parametrize(
    "text", ["", '[folder]\nregion = "EU"\n', '[folder]\n# here\nregion="EU"\n[backup]\n']
)
def test_a_folder_that_was_moved_says_so(text: str, tmp_path: Path) -> None:
    (tmp_path / "throng.toml").write_text(text)
    placing.move(tmp_path, "US")
    assert load(tmp_path).folder.region == "US"
    (tmp_path / "throng.toml").write_text('folder = { region = "EU" }\n')
    with pytest.raises(Misconfigured):
        placing.move(tmp_path, "US")

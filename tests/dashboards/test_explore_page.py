"""Questions by HTTP and on the page; and the document that says what programs may ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from starlette.routing import Mount, Route

from dashboards.api_document import OPERATIONS, document
from dashboards.app import create
from dashboards.settings import Dashboards
from tests.dashboards.asking import Asking, asking
from tests.warehouse.test_explore import HOW, filled
from warehouse.settings import Warehouse

Q = "people, views by device from 2026-09-01 to 2026-09-03"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    with asking(filled(tmp_path_factory.mktemp("asked")), warehouse=HOW) as one:
        yield one


def test_a_program_asks_and_is_told_what_is_not_in_the_answer(shop: Asking) -> None:
    answer = shop.get(f"/api/explore?q={quote(Q)}", accept="application/json").json()
    assert answer["question"] == (
        "people, views by device for measurement where site = 'shop' from 2026-09-01 to 2026-09-03"
    )
    assert {row["device"] for row in answer["rows"]} == {"mobile", "(other)"}
    assert answer["days"] == 3
    posted = shop.send("/api/explore", f'{{"question": "{Q}"}}', content_type="application/json").json()
    assert posted["rows"] == answer["rows"]
    assert shop.get(f"/api/explore?q={quote(Q)}&format=csv").text.startswith('"device","people","views"')
    late = shop.get("/api/explore?q=people+from+2026-09-02+to+2026-09-05").json()["left_out"]["running"]
    assert late["days"] == ["2026-09-04", "2026-09-05"]
    assert "not over yet" in late["says"]
    for text, status in (("people by contry", 400), ("people where site = 'x'", 404), ("", 400)):
        wrong = shop.get(f"/api/explore?q={quote(text)}")
        assert (wrong.status_code, set(wrong.json())) == (status, {"error"})


def test_a_number_that_is_not_told_is_a_dash_and_said_so(shop: Asking) -> None:
    """Fewer than ten people bounced, or nobody did: a program has 0, and a reader would believe it."""
    span, says = "from 2026-09-01 to 2026-09-03", "it is not nought"
    for measures, dashed in (("people, views", False), ("visits, bounces", True)):
        text = quote(f"{measures} by device {span}")
        rows = shop.get(f"/api/explore?q={text}", accept="application/json").json()["rows"]
        assert (0 in [row[measures.split(", ")[1]] for row in rows]) is dashed, rows
        page = shop.get(f"/explore?q={text}").text
        assert ('<td class="n">–</td>' in page, says in page) == (dashed, dashed)


def test_the_mouse_and_the_keyboard_ask_the_same(shop: Asking) -> None:
    parts = {"m": ["people", "views"], "by": ["device", "", ""], "site": ["shop"], "for": ["measurement"],
             "k1": ["path"], "o1": ["is"], "v1": ["/1 | /"],
             "first": ["2026-09-01"], "last": ["2026-09-03"]}  # fmt: skip
    chosen = shop.get(f"/explore?{urlencode(parts, doseq=True)}")
    assert chosen.status_code == 303
    (text,) = parse_qs(urlsplit(chosen.headers["location"]).query)["q"]
    assert text == (
        "people, views by device for measurement where site = 'shop' and path in ('/', '/1')"
        " from 2026-09-01 to 2026-09-03"
    )
    page = shop.get(chosen.headers["location"])
    assert page.status_code == 200
    assert "in rows of too few people" in page.text or "mobile" in page.text
    clicked = [part.split('"')[0] for part in page.text.split('href="')]
    assert any("device+%3D+%27mobile%27" in one for one in clicked), "a click makes a row the filter"


def test_a_question_is_kept_and_what_is_wrong_stays_to_be_mended(shop: Asking) -> None:
    made = shop.send("/explore/saved", urlencode({"name": "Devices", "q": Q}), content_type=FORM)
    assert made.headers["location"] == "/explore?saved=devices"
    assert "mobile" in shop.get("/explore?saved=devices").text
    wrong = shop.get(f"/explore?q={quote('people by <b>')}")
    assert (wrong.status_code, "<b>" in wrong.text) == (400, False)
    assert 'role="alert"' in wrong.text
    assert shop.get("/explore?m=people&first=x&last=y").status_code == 400


def test_the_pages_never_import_what_meets_facts() -> None:
    """In a process of their own: what they load is the text of a question, and who carries it."""
    import subprocess
    import sys

    said = subprocess.run(
        [sys.executable, "-c", "import sys, dashboards.server; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert "warehouse.enquiry" in said
    for module in ("explore", "opened", "crossing"):
        assert f"warehouse.{module}" not in said


def test_every_address_for_programs_is_in_the_document(tmp_path: Path) -> None:
    app = create(tmp_path, Dashboards(), Warehouse())
    programs = {
        "/files/{name}.xlsx",
        "/files/{name}.parquet",
        "/files/{name}.png",
        "/csv/{name}.csv",
        "/segments/{site}",
        "/security",
        "/health",
    }
    found = {
        (route.path.replace(":str", ""), method)
        for route in app.routes
        if isinstance(route, Route) and not isinstance(route, Mount)
        for method in (route.methods or ()) - {"HEAD"}
    }
    api = {(path, how) for path, how in found if path.startswith("/api/") or path in programs}
    assert api == {(one.path, method) for one in OPERATIONS for method in one.methods}
    said = document()
    assert said["openapi"] == "3.1.0"
    names = [one["operationId"] for path in said["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))
    lets = {path: next(iter(some.values()))["security"] for path, some in said["paths"].items()}
    assert lets["/api/sql"] == [{"key": ["sql"]}, {"session": []}]
    assert lets["/health"] == []
    assert lets["/api/adverts"][-1] == {"token": []}
    assert {one for some in lets.values() for way in some for one in way} == said["components"][
        "securitySchemes"
    ].keys()

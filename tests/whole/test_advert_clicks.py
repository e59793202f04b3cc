"""A click on an advert, from the page to the stored facts: whose it was, what they had chosen, and once."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipelines import facts
from tests.whole.place import SETTINGS, Place
from tests.whole.recording import recorder
from tests.whole.running import throng, up
from warehouse.lake import Lake

pytestmark = pytest.mark.needs("chromium")

#: What a browser has been told: by somebody with an identifier, by one without, and by who refuses.
AGREED = {"c": {"measurement": True, "ad_measurement": True}, "d": "zq7-device-4711"}
UNNAMED = {"c": {"measurement": False, "ad_measurement": True}}
REFUSED = {"c": {"measurement": False, "ad_measurement": False}}
#: A second site, where notice is enough: nobody knows in which country loopback is.
ISLAND = """
[[site]]
id = "island"
controller = "Island Ltd"
pack = "{pack}"
"""
CATALOGUE = """
[[advertiser]]
id = "acme"
name = "Acme"
[[campaign]]
id = "spring"
advertiser = "acme"
name = "Spring"
price_model = "cpc"
[[creative]]
id = "mpu"
campaign = "spring"
size = "300x250"
[[placement]]
id = "top"
site = "shop"
slot = "top"
"""


class Shop(NamedTuple):
    """Pages with adverts whose links are signed, and the collector that they lead through."""

    place: Place
    links: dict[str, str]

    def page(self, name: str, *slots: str, head: str = "", site: str = "shop") -> str:
        """A page at that path with these slots; its address."""
        collector, record = self.place.collector, self.place.record
        script = f'<script defer src="{collector}/t.js" data-site="{site}"></script>'
        record.pages[f"/{name}"] = (
            f"<!doctype html><title>{name}</title>{head or script}{''.join(slots)}",
            {},
        )
        return f"{record.origin}/{name}"

    def slot(self, name: str, more: str = "", body: str = "", site: str = "shop") -> str:
        inside = (
            body
            or f'<a id="{name}" {more} href="{self.links[site]}" style="display:block;height:40px">{name}</a>'
        )
        return (
            f'<div data-throng-ad="spring/mpu" data-throng-slot="{name}" style="width:300px">{inside}</div>'
        )


@contextmanager
def shop(data: Path) -> Iterator[Shop]:
    pack = tmp_pack(data.parent / "island.toml")
    settings = SETTINGS + ISLAND.format(pack=pack)
    with up(data, "part", "collector", settings=settings) as running, recorder() as record:
        (data / "adverts.toml").write_text(CATALOGUE)
        place, links = Place(running, record), {}
        for site in ("shop", "island"):
            tags = ("--site", site, "--at", place.collector, "--to", f"{record.origin}/landing")
            said = throng(data, "adverts", "tags", "spring", *tags)
            (links[site],) = re.findall(r"^click +(\S+)$", said, re.MULTILINE)
        one = Shop(place, links)
        one.page("landing")
        yield one


def tmp_pack(path: Path) -> Path:
    """The shop's policy, where an address that no database knows is one of a country that asks for notice."""
    shipped = (files("consent_filter") / "packs" / "worktasker-2014.toml").read_text()
    path.write_text(shipped.replace('UNKNOWN = ["ZZ"]', 'UNKNOWN = ["XK"]'))
    return path


def landed(context: Any, do: Any) -> str:
    """Where that leads, in a tab of its own."""
    with context.expect_page() as opened:
        do()
    opened.value.wait_for_url("**/landing*")
    opened.value.bring_to_front()
    opened.value.wait_for_timeout(400)
    at = str(opened.value.url)
    opened.value.close()
    return at


def from_menu(page: Any, name: str) -> str:
    """The address that a menu of the browser would open, on the right button."""
    page.evaluate(
        "name => addEventListener('contextmenu', () => { window.menu = document.getElementById(name).href })",
        name,
    )
    page.click(f"#{name}", button="right")
    at: str = page.evaluate("menu")
    other = page.context.new_page()
    other.goto(at)
    other.wait_for_timeout(400)
    there = str(other.url)
    other.close()
    return there


def test_a_click_is_its_visitors_from_the_page_to_the_facts(tmp_path: Path, browser: Any) -> None:
    with shop(tmp_path / "data") as one:
        link = one.links["shop"]
        here = one.place.record.origin
        other = here.replace("127.0.0.1", "localhost")
        tag = f'<script src="{one.place.collector}/v.js" data-site=shop data-throng-ad=spring/mpu'
        anchor = f'<a id=a target=_top style=display:block;height:90px href="{link}">a</a>'
        one.page("linked", anchor, head=f"{tag}></script>")
        one.page(
            "alone",
            anchor,
            head=f"{tag} data-throng-slot=alone data-consent='{{\"ad_measurement\":true}}'></script>",
        )
        one.page("friendly", anchor.replace("_top", "_blank"), head="<p>")
        frame = '<iframe style="width:300px;height:100px;border:0" src="{}"></iframe>'

        def visitor(*slots: str, word: Any = None, site: str = "shop") -> Any:
            kept = json.dumps((word or {}) | {"t": int(time.time() * 1000)})
            item = [{"origin": here, "localStorage": [{"name": "throng", "value": kept}]}] if word else []
            context = browser.new_context(
                viewport={"width": 800, "height": 700}, storage_state={"cookies": [], "origins": item}
            )
            page = context.new_page()
            page.goto(one.page("page", *slots, site=site))
            page.wait_for_timeout(900)
            return page

        # Agreement comes first, and somebody has agreed: however it is clicked, it is theirs.
        page = visitor(
            *map(one.slot, ("middle", "key", "menu")), one.slot("blank", "target=_blank"),
            one.slot("friendly", body=frame.format(f"{here}/friendly")), one.slot("left"), word=AGREED,
        )  # fmt: skip
        context = page.context
        asks = page.locator("a").first.get_attribute("href")
        assert asks == link
        ids = [
            landed(context, lambda: page.click("#middle", button="middle")),
            landed(context, lambda: page.click("#blank")),
            landed(context, lambda: page.frames[1].click("a")),
            from_menu(page, "menu"),
        ]
        page.focus("#key")
        ids.append(landed(context, lambda: page.keyboard.press("Control+Enter")))
        page.wait_for_timeout(400)
        assert {a.get_attribute("href") for a in page.locator("a").all()} == {link}, "nothing is left of it"
        page.click("#left")
        page.wait_for_url("**/landing*")
        ids.append(page.url)
        page.wait_for_timeout(600)
        assert all("?th_click=c1." in at for at in ids), ids
        context.close()

        # Without an identifier the view may go along a link that is opened from a menu.
        page = visitor(one.slot("unnamed"), word=UNNAMED)
        assert "th_click=" in from_menu(page, "unnamed")
        page.context.close()

        # In frames from elsewhere: the page tells of it, and tells the frame nothing of its visitor.
        page = visitor(one.slot("linked", body=frame.format(f"{other}/linked")), word=AGREED)
        page.frames[1].click("a")
        page.wait_for_url("**/landing*")
        assert page.url == f"{here}/landing"
        page.context.close()
        page = browser.new_context().new_page()
        page.goto(one.page("bare", frame.format(f"{other}/alone"), head="<p>"))
        page.wait_for_timeout(1500)
        page.frames[1].click("a")
        page.wait_for_url("**/landing*")
        assert "th_click=" in page.url
        page.wait_for_timeout(300)
        page.context.close()

        # Whoever has refused, or was not asked where that comes first; and where notice is enough.
        for name, word, site in (
            ("refused", REFUSED, "shop"), ("silent", None, "shop"),
            ("noticed", None, "island"), ("objected", REFUSED, "island"),
        ):  # fmt: skip
            page = visitor(one.slot(name, site=site), word=word, site=site)
            if site == "island":
                assert from_menu(page, name) == f"{here}/landing"
            page.click("a")
            page.wait_for_url("**/landing*")
            assert page.url == f"{here}/landing", f"{name} gets no id"
            page.wait_for_timeout(400)
            page.context.close()
    _facts(tmp_path / "data")


_SLOTS = """
SELECT ad_slot, list(ad_view) FILTER (type = 'ad_impression'), list(ad_view) FILTER (type = 'ad_click'),
  list(ad_view) FILTER (type = 'ad_landing')
FROM lake.events WHERE starts_with(type, 'ad_') AND ad_campaign = 'spring' GROUP BY ad_slot"""
_REFUSED = """
SELECT reason, detail, sum(n)::INT FROM lake.received
WHERE protocol = 'redirect' AND outcome = 'refused' GROUP BY ALL"""


def _facts(data: Path) -> None:
    """What is stored of it all, by slot: impressions, clicks and landings, each as the hash of its view."""
    facts.run(data)
    lake = Lake.open(data)
    found, refused = (lake.connection.execute(sql).fetchall() for sql in (_SLOTS, _REFUSED))
    lake.connection.close()
    slots = {slot: tuple(views or [] for views in rows) for slot, *rows in found}
    for name in ("middle", "blank", "friendly", "key", "left", "unnamed"):
        shown, clicked, landings = slots.pop(name)
        assert len(shown) == 1, name
        assert shown == clicked == landings, f"{name}: one view, one click, one landing"
    # A menu is no click that a page sees: the link's counts, of no view where the browser has an identifier.
    assert slots.pop("menu")[1:] == ([None], [None])
    # What the page tells of a frame; the frame by itself, whose landing nobody has agreed to.
    for name in ("linked", "alone"):
        shown, clicked, landings = slots.pop(name)
        assert len(shown) == 1, name
        assert (clicked, landings) == (shown, []), name
    # By the menu and by itself: two, of one view.
    shown, clicked, landings = slots.pop("noticed")
    assert len(shown) == 1
    assert (clicked, landings) == (shown * 2, [])
    assert slots == {}, "who refuses or was not asked has left nothing"
    assert {f"{reason} {detail.partition('.')[2] or detail}": n for reason, detail, n in refused} == {
        "duplicate told": 7, "consent opt_in.refused": 1, "consent opt_in.silence": 2,
        "consent notice.refused": 2,
    }  # fmt: skip

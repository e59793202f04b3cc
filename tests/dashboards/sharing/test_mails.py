"""Saved views and alerts by mail, through a server of this machine: whose, when, what, and no more."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from email import message_from_string, policy
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
from babel.dates import format_date

from consent_filter.errors import Misconfigured
from consent_filter.rights.settings import Rights
from consent_filter.site import Site
from dashboards.app import create
from dashboards.pages import Pages
from dashboards.settings import Dashboards
from dashboards.sharing.alerts import Alerts
from dashboards.sharing.clockwork import Clockwork
from dashboards.sharing.letters import Post
from dashboards.sharing.mailings import Mailing, Mailings, due
from dashboards.who import Role
from tests.consent_filter.rights.mailbox import Mailbox
from tests.dashboards.browsing import Browser, House
from tests.dashboards.sharing.conftest import LAST
from tests.dashboards.sharing.test_views import someone
from warehouse.settings import Warehouse

AT = "https://stats.example"
#: A Monday after all that is published, at nine: after tomorrow, too, on whatever day, and over whatever
#: midnight, this runs, since what was asked for today is not due before today.
MONDAY = next(day for day in (LAST + timedelta(days=5 + n) for n in range(7)) if not day.weekday())
NINE = datetime.combine(MONDAY, time(13), UTC).timestamp()


@pytest.fixture(scope="module")
def box() -> Iterator[Mailbox]:
    with Mailbox() as one:
        thread = threading.Thread(target=one.serve_forever)
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def post(box: Mailbox) -> Post:
    host, port = box.server_address[:2]
    rights = Rights(
        mail_host=str(host), mail_port=int(port), mail_from="throng@shop.example", mail_tls="none"
    )
    return Post(rights, AT)


def read(box: Mailbox) -> EmailMessage:
    found = message_from_string(box.mails[-1][1], policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def test_a_view_comes_by_mail_once_and_is_ended_from_the_mail(
    market: House, post: Post, box: Mailbox
) -> None:
    pages = Pages(market.data, Warehouse(), False)
    clockwork = Clockwork(market.door, pages, post, {})
    ann, bob = someone(market, "ann@shop.example"), someone(market, "bob")
    assert "No mails are sent from here" in ann.text("/mails"), "no server is set"
    ann.send("/views", act="keep", name="Four <b>weeks</b>", address="/?site=market&period=28")
    ann.send("/views", act="keep", name="Phones", address="/?site=market&period=28&where=device:mobile")
    ann.send("/views", act="keep", name="Pages", address="/report/pages?site=market&period=7")
    views = {row["name"]: row["id"] for row in market.store.rows("SELECT * FROM view")}
    mailings, me = Mailings(market.people), market.people.find("ann@shop.example")
    assert me is not None
    for view, every in (("Four <b>weeks</b>", "week"), ("Phones", "day"), ("Pages", "day")):
        mailings.add(me.who, views[view], every)
    clockwork.look(NINE)
    assert len(box.mails) == 3
    clockwork.look(NINE + 3600)
    assert len(box.mails) == 3, "once a day, once a week"
    found = {str(message_from_string(text, policy=policy.default)["subject"]): text for _, text in box.mails}
    assert all(len(to) == 1 and "<ann@shop.example>" in to[0] for to, _ in box.mails)
    subject = next(one for one in found if one.startswith("Four"))
    assert subject.startswith("Four <b>weeks</b>: market, ")
    mail = message_from_string(found[subject], policy=policy.default)
    assert isinstance(mail, EmailMessage)
    text, page = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert page is not None
    plain, shown = text.get_content(), page.get_content()
    # The same figures as on the page.
    overview = ann.text("/?site=market&period=28")
    (people,) = [line.split()[1] for line in plain.splitlines() if line.startswith("Visitors ")]
    assert f"<strong>{people}</strong>" in overview
    assert people in shown
    assert "Four &lt;b&gt;weeks&lt;/b&gt;" in shown
    assert "<script" not in shown
    assert "http" not in shown.replace(AT, ""), "nothing is loaded from anywhere"
    (picture,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert f"cid:{str(picture['content-id'])[1:-1]}" in shown
    phones = next(text for subject, text in found.items() if subject.startswith("Phones"))
    assert "Visitors, device Mobile" in phones
    assert "image/png" not in phones, "no picture of everybody under a filter"
    # Ended by a button on a page that needs no account, or by the mail program's own.
    stop = urlsplit(str(mail["list-unsubscribe"])[1:-1])
    assert f"{stop.scheme}://{stop.netloc}" == AT
    assert f"\nList-Unsubscribe: <{AT}/mails/stop/" in found[subject].replace("\r", ""), "in one part"
    assert mail["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    stranger = market.browser("https://numbers.example")
    assert "Shall no more" in stranger.get(stop.path).text
    assert len(mailings.all()) == 3, "looking at it ends nothing"
    one_click = {"List-Unsubscribe": "One-Click"}
    assert "No more of these" in stranger.post(stop.path, one_click).text
    assert len(mailings.all()) == 2
    assert stranger.post(stop.path[:-2], one_click).status_code == 404
    clockwork.look(NINE + 86_400)
    assert len(box.mails) == 5
    # What is to be shown is what the account may see when it goes.
    market.people.change(me.who.account, [Role.ANALYST], ["blog"], "")
    clockwork.look(NINE + 2 * 86_400)
    market.people.change(me.who.account, [Role.PRIVACY_OFFICER], None, "")
    clockwork.look(NINE + 3 * 86_400)
    market.people.change(me.who.account, [Role.ANALYST], None, "")
    assert len(box.mails) == 5
    # A server that takes nothing is asked again later, and nothing is lost.
    box.broken = True
    clockwork.look(NINE + 4 * 86_400)
    box.broken = False
    clockwork._waits = 0.0
    clockwork.look(NINE + 4 * 86_400)
    assert len(box.mails) == 7
    assert "whoever" not in bob.text("/mails")
    pages.close()


def test_what_alerts_have_found_comes_in_one_mail(market: House, post: Post, box: Mailbox) -> None:
    pages, before = Pages(market.data, Warehouse(), False), len(box.mails)
    clockwork = Clockwork(market.door, pages, post, {})
    me, bob = market.people.find("ann@shop.example"), market.people.find("bob")
    assert me is not None
    assert bob is not None
    alerts = Alerts(market.people)
    alerts.add(me.who, "market", "visitors", "", "above", "100", mail=True)
    alerts.add(me.who, "market", "views", "country:US", "above", "1", mail=False)
    alerts.add(bob.who, "market", "visitors", "", "above", "100", mail=True)  # has no address
    clockwork.look(NINE)
    clockwork.look(NINE)
    sent = [read(box)] if len(box.mails) == before + 1 else []
    assert sent, len(box.mails) - before
    said = sent[0].get_content()
    assert "market: more than 100 visitors a day" in said
    assert "United States" not in said
    assert f"{AT}/alerts" in said
    pages.close()


def test_mails_are_in_the_language_of_the_account(market: House, post: Post, box: Mailbox) -> None:
    """Words, numbers, days and direction; of an account that has chosen none in that of the settings; the
    picture stays English, as every file."""
    pages, views = Pages(market.data, Warehouse(), False), Mailings(market.people)
    later = NINE + 30 * 86_400
    for login, chosen, default, words, alert in (
        (
            "eva@shop.example",
            "de",
            "en",
            ("Besucher nach Tag", "Die Seite öffnen", "Alle "),
            "Warnung: market",
        ),
        ("nur@shop.example", "", "ar", ("الزوار حسب اليوم", "افتح الصفحة"), "تنبيه: market"),
    ):
        market.account(login, Role.ANALYST)
        one, me = someone(market, login), market.people.find(login)
        assert me is not None
        market.people.speak(me.who.account, chosen)
        one.send("/views", act="keep", name="Four", address="/?site=market&period=28")
        (view,) = re.findall(r'/views/(V\w+)">Four<', one.text("/views"))
        views.add(me.who, view, "day")
        Alerts(market.people).add(me.who, "market", "visitors", "", "above", "100", mail=True)
        clockwork, before = Clockwork(market.door, pages, Post(post.rights, AT, default), {}), len(box.mails)
        clockwork.look(later)
        sent = [
            message_from_string(text, policy=policy.default)
            for to, text in box.mails[before:]
            if f"<{login}>" in to[0]
        ]
        assert {one["content-language"] for one in sent} == {chosen or default}
        warned, report = sorted(sent, key=lambda one: one.is_multipart())
        assert str(warned["subject"]) == alert
        page = report.get_body(("html",))
        assert page is not None
        shown = page.get_content()
        right = (chosen or default) == "ar"
        assert f'<html lang="{chosen or default}" dir="{"rtl" if right else "ltr"}">' in shown
        for word in words[:2]:
            assert word in shown
        assert ("text-align:right;border-top:1px solid #e3e8e3;font-weight:400" in shown) is right
        days = str(report["subject"]).rpartition(", " if not right else "، ")[2]
        month = format_date(LAST, "MMM", locale=chosen or default)
        assert (month if right else f"{month} {LAST.year}") in days
        for english in ("Visitors", "Open the page", "Every number", "before"):
            assert english not in shown.replace("before=", ""), english
    pages.close()


def test_mails_are_asked_for_on_the_page(market: House, post: Post) -> None:
    """Where a server is set: of one's own views, to the address that one signs in by."""
    app = create(market.data, Dashboards(at=AT), Warehouse(), rights=post.rights)
    ann, bob = (Browser(app, market.runner, "http://127.0.0.1:8601", "127.0.0.1") for _ in range(2))
    ann.sign_in("ann@shop.example")
    bob.sign_in("bob")
    ann.send("/views", act="keep", name="Mine", address="/?site=blog", house="yes")
    (view,) = re.findall(r'/views/(V\w+)">Mine', ann.text("/views"))
    assert "to ann@shop.example" in ann.text("/mails")
    assert ann.send("/mails", act="add", view=view, every="week").status_code == 303
    assert ann.send("/mails", act="add", view=view, every="hour").status_code == 400
    assert "every Monday" in ann.text("/mails")
    assert "None come to you" in bob.text("/mails")
    assert bob.send("/views", "/mails", act="add", view=view, every="week").status_code == 409
    (mailing,) = re.findall(r'name="mailing" value="(E\w+)"', ann.text("/mails"))[-1:]
    assert bob.send("/views", "/mails", act="end", mailing=mailing).status_code == 404
    assert ann.send("/mails", act="end", mailing=mailing).status_code == 303
    assert "mail it to ann@shop.example" in ann.text("/alerts")
    assert "Not mailed" in bob.text("/alerts")


@pytest.mark.parametrize(
    ("at", "newest", "goes"),
    [
        ("2026-11-23T05:59", "2026-11-22", False),
        ("2026-11-23T06:00", "2026-11-22", True),
        ("2026-11-23T06:00", "2026-11-21", False),  # yesterday is not published yet
        ("2026-11-23T11:00", "2026-11-21", True),  # noon: it waits no longer
        ("2026-11-24T06:00", "2026-11-23", True),  # nothing ran on Monday
        ("2026-11-22T23:30", "2026-11-22", False),  # Monday in Berlin, but night
    ],
)
def test_a_mail_goes_in_the_morning_of_the_site(at: str, newest: str, goes: bool) -> None:
    one = Mailing("E", "A", "V", "week", 0, "2026-11-16")
    now = datetime.fromisoformat(f"{at}+00:00").timestamp()
    found = due(one, Site(id="shop", timezone="Europe/Berlin"), date.fromisoformat(newest), now)
    assert found == (date(2026, 11, 23) if goes else None)
    sent = one._replace(last="2026-11-23")
    assert due(sent, None, date.fromisoformat(newest), now) is None


def test_an_address_of_the_pages_is_one(tmp_path: object) -> None:
    for wrong in ("stats.example", "https://stats.example/pages", "javascript:x"):
        with pytest.raises(Misconfigured):
            Dashboards(at=wrong)

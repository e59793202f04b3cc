"""Adverts at a real collector: clicks are led on, servers speak for visitors, and nothing of either stays."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest

from consent_filter.advert_links import Seals, token
from consent_filter.pseudonym import Keyring
from consent_filter.tokens import Tokens, id_of
from ingest.protocols import notice, redirect
from tests.ingest.http.wire import Answer, Line, ask, counted, counts, request
from tests.whole.running import Up

#: Planted in what is sent; no byte on the disk may hold any of them.
TARGET, SEEN, AGENT = (
    "https://zq7acme.example/zq7offer?zq7=mail%40x.example",
    "198.51.100.77",
    "zq7Player/9.1 Safari",
)
YES = "&consent=" + quote(json.dumps({"ad_measurement": True}))


@pytest.fixture(scope="module")
def seals(running: Up) -> Seals:
    return Seals.of(Keyring.open(running.data / "keys.json"))


def get(running: Up, path: str, *more: str, method: str = "GET") -> Answer:
    with Line(running.port) as line:
        line.send(request(b"", *more, method=method, path=path))
        return line.answer(method)


def signed(seals: Seals, use: str, names: tuple[str, ...], **said: str) -> str:
    said |= {"site": "shop", "campaign": "spring", "until": str(int(time.time()) + 60)}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in said.items())
    return f"{query}&sig={seals.sign(use, *[said.get(name, '') for name in names])}"


def test_a_click_is_led_on_and_counted(running: Up, seals: Seals) -> None:
    before, link = counts(running), f"/ad/go?{signed(seals, 'redirect', redirect.SIGNED, to=TARGET)}"
    plain = get(running, link)
    assert (plain.status, plain.head["location"]) == (302, TARGET)
    assert plain.head["referrer-policy"] == "strict-origin"
    assert plain.head["cache-control"] == "no-store"
    agreed = get(running, link + YES + "&view=zq7view4711")
    assert agreed.head["location"].startswith(f"{TARGET}&th_click=c1.")
    assert counted(running, before, 2) == {"received": 2, "stored": 1, "consent": 1}


def test_a_look_at_a_link_counts_nothing(running: Up, seals: Seals) -> None:
    before, link = counts(running), f"/ad/go?{signed(seals, 'redirect', redirect.SIGNED, to=TARGET)}"
    looked = get(running, link, method="HEAD")
    assert (looked.status, looked.head["location"]) == (302, TARGET)
    assert get(running, link.replace("zq7acme", "evil"), method="HEAD").status == 403
    ahead = get(running, link + YES, "Sec-Purpose: prefetch")
    assert (ahead.status, "location" in ahead.head) == (503, False)
    assert counted(running, before, 1) == {"received": 1, "robot": 1}


def test_no_link_leads_elsewhere(running: Up, seals: Seals) -> None:
    before, link = counts(running), f"/ad/go?{signed(seals, 'redirect', redirect.SIGNED, to=TARGET)}"
    for wrong in ("/ad/go?to=https%3A%2F%2Fevil.example", link.replace("zq7acme", "evil"), "/ad/go"):
        said = get(running, wrong)
        assert (said.status, "location" in said.head) == (403, False)
        assert b"leads nowhere" in said.body
        assert b"evil" not in said.body
    assert counted(running, before, 3) == {"received": 3, "invalid": 3}


def test_players_and_exchanges(running: Up, seals: Seals) -> None:
    before = counts(running)
    assert get(running, f"/ad/vast?event=midpoint&site=shop&view=1{YES}").head["content-type"] == "image/gif"
    assert get(running, f"/ad/vast?event=midpoint&site=shop&gdpr_consent=[GDPRCONSENT]{YES}").status == 200
    good = f"/ad/notice?{signed(seals, 'notice', notice.SIGNED, kind='bill')}&view=zq7auction.1{YES}"
    assert get(running, good).status == 200
    assert get(running, good.replace("spring", "autumn")).code == "altered"
    assert counted(running, before, 4) == {"received": 4, "stored": 2, "consent": 1, "invalid": 1} or (
        counted(running, before, 4) == {"received": 4, "stored": 2, "signal": 1, "invalid": 1}
    )


@pytest.mark.requirement("M32")
def test_a_server_speaks_for_a_visitor_only_with_a_token(running: Up, seals: Seals) -> None:
    body = {"site": "shop", "ad": {"goal": "signup", "order": "zq7order"}, "value": 3}
    body |= {"consent": {"ad_measurement": True}}
    data = json.dumps(body).encode()
    device = (f"X-Device-IP: {SEEN}", f"X-Device-User-Agent: {AGENT}")
    good = token(seals, "servers", "ssp", int(time.time()) + 60)
    before = counts(running)

    def post(*more: str) -> Answer:
        return ask(running, request(data, *more, path="/ad/conversion"))

    assert post(f"Authorization: Bearer {good}", *device).status == 202
    for wrong in (
        device,
        (*device, "Authorization: Bearer th1.servers.x.9999999999.x"),
        (*device, f"Authorization: Bearer {token(seals, 'catalogue', 'ssp', int(time.time()) + 60)}"),
        (*device, f"Authorization: Bearer {token(seals, 'servers', 'ssp', 1)}"),
        (device[1], f"Authorization: Bearer {good}"),
        ("X-Device-IP: zq7.example", f"Authorization: Bearer {good}"),
    ):
        assert post(*wrong).code == "sender"
    # One that was taken back is refused by the collector that runs, at the next request; others are not.
    tokens, other = Tokens(running.data), token(seals, "servers", "shop", int(time.time()) + 60)
    for one, name in ((good, "ssp"), (other, "shop")):
        tokens.note(one, "servers", name, int(time.time()) + 60, time.time())
    assert post(f"Authorization: Bearer {other}", *device).status == 202
    tokens.end(id_of(other), time.time())
    assert post(f"Authorization: Bearer {other}", *device).code == "sender"
    assert post(f"Authorization: Bearer {good}", *device).status == 202
    # One that says of whom it is a robot is counted as that, whoever vouches for it.
    robot = "X-Device-User-Agent: Googlebot/2.1 (+http://www.google.com/bot.html)"
    assert post(f"Authorization: Bearer {good}", device[0], robot).status == 202
    assert counted(running, before, 11) == {"received": 11, "stored": 3, "invalid": 7, "robot": 1}


@pytest.mark.requirement("M74")
def test_contacts_are_believed_of_who_has_a_token_alone(running: Up, seals: Seals) -> None:
    """However many: what a mailer sends is no rate of a visitor's. Nobody's address comes along."""
    allowed = {"consent": {"measurement": True, "ad_measurement": True}}
    one = {"site": "shop", "user_id": "zq7member", "ad": {"step": "email", "campaign": "spring"}} | allowed
    good, before = token(seals, "servers", "mailer", int(time.time()) + 60), counts(running)

    def post(*more: str, body: object = one, path: str = "/ad/contact") -> Answer:
        return ask(running, request(json.dumps(body).encode(), *more, path=path))

    bearer = f"Authorization: Bearer {good}"
    assert post(bearer).status == 202
    assert post(bearer, f"X-Device-IP: {SEEN}", body=[one, one]).status == 202
    for wrong in ((), (f"Authorization: Bearer {token(seals, 'catalogue', 'x', int(time.time()) + 60)}",)):
        assert post(*wrong).code == "vouched"
    assert post(bearer, body=one | {"user_id": None}).code == "user_id"
    assert post(bearer, body=one | {"type": "ad_contact", "url": "/"}, path="/e").code == "type"
    assert counted(running, before, 7) == {"received": 7, "stored": 3, "invalid": 4}


def test_nothing_of_it_is_on_any_disk(running: Up) -> None:
    """Last in this module: after all that was sent."""
    secrets = [b"zq7", SEEN.encode(), b"c1."]
    for file in running.data.rglob("*"):
        if file.is_file():
            found = file.read_bytes()
            assert not [one for one in secrets if one in found], file

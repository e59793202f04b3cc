"""Unsubscribe links as mail providers, scanners of mail, and people use them (RFC 8058)."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tests.ingest.http.test_choosing import choose, records
from tests.ingest.http.wire import Answer, ask, request
from tests.whole.running import Up, throng

ID = "canary-member-4711@mail.example"
ONE_CLICK = b"List-Unsubscribe=One-Click"
FORM = "Content-Type: application/x-www-form-urlencoded"
HTML = "Accept: text/html,*/*"
AT = "https://collect.shop.example"


def link(running: Up, id: str = ID, *channels: str, site: str = "shop") -> str:
    """The path of a link, made as a sender makes it."""
    said = [word for channel in channels or ["email"] for word in ("--channel", channel)]
    text = throng(
        running.data,
        "unsubscribe",
        "link",
        "--site",
        site,
        "--at",
        AT,
        "--user-id",
        "-",
        *said,
        text=id + "\n",
    )
    assert text.startswith(AT)
    return text.strip().removeprefix(AT)


def post(running: Up, path: str, body: bytes = ONE_CLICK, *more: str) -> Answer:
    return ask(running, request(body, *(more or [FORM]), path=path))


def standing(running: Up, id: str = ID) -> dict[str, bool] | None:
    answer = running.get(f"/consent?site=shop&user_id={quote(id)}")
    assert answer[0] == 200
    found: dict[str, bool] | None = json.loads(answer[1])["consent"]
    return found


def test_one_click_refuses_at_once_and_again_changes_nothing(running: Up) -> None:
    path = link(running)
    first = post(running, path)
    assert first.status == 200
    assert json.loads(first.body) == {"site": "shop", "unsubscribed": ["email"]}
    assert standing(running) == {"marketing_email": False}
    told = records(running.data)[-1]
    assert told.pop("at") > 0
    assert told == {
        "site": "shop", "granted": [], "denied": ["marketing_email"], "source": "link",
        "surface": "unsubscribe", "policy": "workallies-2024/1", "regime": "opt_in",
    }  # fmt: skip
    before = records(running.data)
    again = post(running, path)
    assert (again.status, again.head, again.body) == (first.status, first.head, first.body)
    assert records(running.data) == before, "a link that is clicked for ever fills no disk"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"'
         b"\r\n\r\nOne-Click\r\n--b--\r\n"),
        ("application/x-www-form-urlencoded; charset=UTF-8", b"List-Unsubscribe=One-Click\r\n"),
        ("text/plain", ONE_CLICK),
    ],
)  # fmt: skip
def test_providers_write_the_body_in_different_ways(running: Up, kind: str, body: bytes) -> None:
    id = f"member-{kind}"
    assert post(running, link(running, id), body, f"Content-Type: {kind}").status == 200
    assert standing(running, id) == {"marketing_email": False}


@pytest.mark.parametrize(
    "body",
    [b"", b"List-Unsubscribe=", b"x=1", b"List-Unsubscribe=One-Click&List-Unsubscribe=All", b"\xff" * 99,
     b"list-unsubscribe=Two-Clicks"],
)  # fmt: skip
@pytest.mark.parametrize("kind", [FORM, "Content-Type: multipart/form-data; boundary=b"])
def test_another_body_unsubscribes_nobody(running: Up, body: bytes, kind: str) -> None:
    answer = post(running, link(running, "member-body"), body, kind)
    assert (answer.status, answer.code) == (400, "body")
    assert standing(running, "member-body") is None


def test_looking_changes_nothing(running: Up) -> None:
    path, before = link(running, "member-looked"), records(running.data)
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"):
        for at in (path, path + "?List-Unsubscribe=One-Click", path + "?all=1"):
            answer = ask(running, request(ONE_CLICK, FORM, method=method, path=at), method)
            assert answer.status == {"OPTIONS": 204, "PUT": 405, "PATCH": 405, "DELETE": 405}.get(method, 200)
            assert answer.status != 405 or (answer.code, answer.head["allow"]) == (
                "method",
                "GET, HEAD, POST, OPTIONS",
            )
    assert records(running.data) == before
    assert standing(running, "member-looked") is None


def test_a_link_may_be_for_several_channels_and_everything_is_a_button_away(running: Up) -> None:
    id = "member-several"
    path = link(running, id, "sms", "post")
    assert json.loads(post(running, path).body)["unsubscribed"] == ["post", "sms"]
    assert standing(running, id) == {"marketing_post": False, "marketing_sms": False}
    assert post(running, path, b"List-Unsubscribe=All").status == 200
    assert standing(running, id) == dict.fromkeys(
        ["ad_personalisation", "remarketing", "marketing_email", "marketing_post", "marketing_sms",
         "marketing_phone", "marketing_account"], False,
    )  # fmt: skip


def test_it_takes_back_what_was_agreed_to_and_leaves_the_rest(running: Up) -> None:
    mine = {"site": "shop", "user_id": "member-agreed"}
    choose(running, mine | {"consent": {"measurement": True, "marketing_email": True, "marketing_sms": True}})
    assert post(running, link(running, "member-agreed")).status == 200
    said = {"measurement": True, "marketing_email": False, "marketing_sms": True}
    assert standing(running, "member-agreed") == said
    choose(running, mine | {"consent": {"marketing_email": True}})
    assert (standing(running, "member-agreed") or {})["marketing_email"], "who agrees anew has agreed"


def test_what_is_no_link_is_refused_and_not_repeated(running: Up) -> None:
    path, before = link(running, "member-forged"), records(running.data)
    middle = path[:40] + ("A" if path[40] != "A" else "B") + path[41:]
    for at, code in (
        (middle, "link_altered"),
        (path[:-4], "link_altered"),
        (path[:30], "link_malformed"),
        (path + "/", "link_malformed"),
        (path + "AAAA", "link_altered"),
        ("/unsubscribe", "link_malformed"),
        ("/unsubscribe/", "link_malformed"),
        ("/unsubscribe/canary/canary", "link_malformed"),
        ("/unsubscribe/canary%FF%00", "link_malformed"),
        ("/unsubscribe/" + "canary" * 500, "link_malformed"),
        ("/unsubscribe/" + path.removeprefix("/unsubscribe/").replace("A", "=", 1), "link_malformed"),
    ):
        for method in ("POST", "GET"):
            answer = ask(running, request(ONE_CLICK, FORM, method=method, path=at))
            assert (answer.status, answer.code) == (404, code), at
            assert b"canary" not in answer.body
            assert at.rpartition("/")[2] not in answer.body.decode() + str(answer.head) or at.endswith("/")
    page = ask(running, request(b"", HTML, method="GET", path=middle))
    assert page.status == 404
    assert b"Not unsubscribed" in page.body
    assert records(running.data) == before
    numbers = running.get("/metrics")[1].decode()
    assert 'throng_unsubscribe_total{outcome="link_altered"}' in numbers

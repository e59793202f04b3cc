"""Mails: what they say, where they go, and what they never hold."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from consent_filter.ledger import Ledger
from consent_filter.rights import mail
from consent_filter.rights.office import Office
from consent_filter.signing import Signer
from consent_filter.site import Site
from tests.consent_filter.rights.desk import EMAIL, NAME, SEEN, USER, Desk, desk
from tests.consent_filter.rights.mailbox import Mailbox
from tests.consent_filter.rights.test_carrying import WORKALLIES


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def one(tmp_path: Path, mailbox: Mailbox) -> Iterator[Desk]:
    with desk(
        tmp_path, at="https://collect.shop.example/", mail_host="127.0.0.1", mail_tls="none",
        mail_port=mailbox.server_address[1], mail_from="privacy@shop.example",
    ) as found:  # fmt: skip
        yield found


@pytest.fixture
def office(one: Desk) -> Iterator[Office]:
    ledger = Ledger.open(one.data / "ledger.sqlite", one.keyring, gives=False)
    sites, packs = {"shop": Site(id="shop")}, {"shop": WORKALLIES}
    yield Office(one.register, ledger, one.keyring, sites, packs, Signer(one.data / "receipts.key"))
    ledger.close()


@pytest.mark.requirement("M117")
def test_who_has_an_address_on_file_is_told_of_what_happens(
    one: Desk, office: Office, mailbox: Mailbox
) -> None:
    case = one.register.prove(one.receive("access", email=EMAIL).id, SEEN)
    other = one.receive("erase", "another", email="thief@mail.example", proof=SEEN)
    one.register.vouch(case.id, EMAIL, "Ms Officer")
    assert office.tell() == 0
    one.register.extend(case.id, "Ms Officer", f"{NAME} has many rows")
    one.register.extend(other.id, "Ms Officer", "many rows")
    assert (office.tell(), office.tell()) == (1, 0), "once, and not to an address that only the request names"
    one.register.finish(case.id, {"note": NAME}, b"the rows")
    assert (office.tell(), office.tell()) == (1, 0)
    (first_to, first), (_, second) = mailbox.mails
    assert EMAIL in first_to[0]
    assert "two months more" in first
    assert "it is done" in second
    for text in (first, second):
        assert NAME not in text, "a mailbox is no place for it"
        assert USER not in text
    link = re.search(r"https://collect\.shop\.example/rights/(\S+)\?secret=(\S+)", second)
    assert link
    assert one.register.opened(link[1], link[2], answer=True).id == case.id
    assert [s.code for s in one.register.history(case.id) if s.what == "told"] == ["extended", "done"]


@pytest.mark.requirement("M115")
def test_a_code_goes_to_no_address_that_only_the_request_names(
    one: Desk, office: Office, mailbox: Mailbox
) -> None:
    case = one.receive("access", email="thief@mail.example")
    assert not office.send_code(case.id)
    assert mailbox.mails == []
    one.register.vouch(case.id, EMAIL, "Ms Officer")
    assert office.send_code(case.id)
    assert [EMAIL in to[0] for to, _ in mailbox.mails] == [True]


def test_what_a_mail_server_does_not_take_is_an_officers_to_tell(
    one: Desk, office: Office, mailbox: Mailbox
) -> None:
    case = one.receive("access", EMAIL, email=EMAIL)
    mailbox.broken = True
    assert not office.send_code(case.id)
    case = one.register.refuse(one.register.prove(case.id, SEEN).id, "law", "Ms Officer")
    assert (office.tell(), office.tell()) == (0, 0)
    failed = [s.code for s in one.register.history(case.id) if s.what == "mail failed"]
    assert failed == ["", "refused"]


@pytest.mark.parametrize(
    "text",
    ["", "a", "a@b", "@b.example", "a@b.example\r\nBcc: x@y.example", "a b@c.example",
     "a@b.example,c@d.example", "<a@b.example>", "\u00e4@b.example", "a@b.example ",
     "a" * 250 + "@b.example"],
)  # fmt: skip
def test_what_is_no_plain_address(text: str) -> None:
    assert not mail.address(text)
    assert mail.address("a+b.c@d-e.example")

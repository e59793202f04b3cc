"""`throng access`: who may sign in to the dashboards, at a terminal of the machine itself.

Whoever may read and write the data folder may do all of it: that is why a lost password is mended here.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from consent_filter.errors import Refused
from dashboards.accounts import log, passkeys, totp
from dashboards.accounts.door import Door
from dashboards.accounts.people import Account, People
from dashboards.accounts.sessions import CHOOSE, ENTER, SET_UP, Sessions
from dashboards.accounts.store import FILE
from dashboards.who import Role
from throng import pages
from throng.settings import Settings, load

#: In the log, what was done here.
_HERE = "terminal"
#: What the demo's visitor is called.
DEMO = "demo"


def main(arguments: Namespace) -> int:
    settings = load(arguments.data)
    if not (arguments.data / FILE).exists() and arguments.what not in ("add", "link"):
        raise Refused(404, "no_accounts", "there are no accounts yet: throng access link")
    with opened(arguments.data, settings) as (people, sessions):
        return _act(people, sessions, settings, arguments)


@contextmanager
def opened(data: Path, settings: Settings) -> Iterator[tuple[People, Sessions]]:
    """The accounts of a data folder, beside dashboards that may be running."""
    with closing(Door(data, settings.accounts)) as door:
        yield door.open().people, door.open().sessions


def _act(people: People, sessions: Sessions, settings: Settings, said: Namespace) -> int:
    def enter(word: str) -> None:
        print(f"{pages.reached(said.data, settings)}/enter/{word}")

    match said.what:
        case "add":
            roles = [Role(one) for one in said.role]
            made = people.add(said.login, said.name, roles, said.only, _HERE, said.advertiser, said.recipient)
            enter(sessions.link(made.who.account, _HERE))
        case "roles":
            id, roles = _named(people, said.login).who.account, [Role(one) for one in said.role]
            people.change(id, roles, said.only, _HERE, said.advertiser, said.recipient)
        case "link" if said.login is None:
            if (word := first(people, sessions)) is None:
                raise Refused(409, "not_the_first", "there are accounts: say of which one")
            enter(word)
        case "link":
            id = _named(people, said.login).who.account
            enter(sessions.link(id, _HERE, CHOOSE))
        case "end":
            people.end(_named(people, said.login).who.account, _HERE)
        case "sessions":
            print(f"{sessions.end(_named(people, said.login).who.account, _HERE)} sessions ended")
        case "factors":
            id = _named(people, said.login).who.account
            totp.remove(people, id, _HERE)
            passkeys.remove(people, id, "", _HERE)
        case "list":
            for one in people.list():
                print(_json(one) if said.format == "json" else _line(one))
        case "log":
            id = _named(people, said.who).who.account if said.who else ""
            _log(people, log.entries(people.store, account=id, what=said.kind, most=said.most), said.format)
    return 0


def first(people: People, sessions: Sessions) -> str | None:
    """The word of a link that makes the first account; None where there is one."""
    return None if people.any() else sessions.link("", _HERE, SET_UP)


def set_up(data: Path, settings: Settings, port: int) -> str:
    """What `throng up` says of signing in: a link where there is no account yet, nothing otherwise."""
    with opened(data, settings) as (people, sessions):
        word = first(people, sessions)
    return "" if word is None else f"{pages.local(settings, port)}/enter/{word}"


def visitor(data: Path, settings: Settings) -> None:
    """An account for whoever tries the demo, who may see all of it, where there is none yet."""
    with opened(data, settings) as (people, _):
        if not people.any():
            people.add(DEMO, "Demo", list(Role), None, _HERE)


def demo(data: Path, settings: Settings, port: int) -> str:
    """A link that signs in as the demo's visitor; the door, where that account has ended."""
    with opened(data, settings) as (people, sessions):
        if (one := people.find(DEMO)) is None:
            return f"{pages.local(settings, port)}/"
        return f"{pages.local(settings, port)}/enter/{sessions.link(one.who.account, _HERE, ENTER)}"


def command(data: Path) -> str:
    """What prints a link of a name, as a shell on this machine takes it, wherever it stands."""
    program = "throng" if shutil.which("throng") else str(Path(sys.executable).with_name("throng"))
    return shlex.join([program, "access", "link", "--data", str(data.resolve())])


def _named(people: People, login: str) -> Account:
    found = people.find(login)
    if found is None:
        raise Refused(404, "no_such_account", "there is no account of that name: throng access list")
    return found


def _line(one: Account) -> str:
    sites = "all sites" if one.who.sites is None else ", ".join(sorted(one.who.sites)) or "no site"
    factor = ", ".join(sorted(one.second)) or "no second factor"
    return f"{one.login}  {one.who.name}  {', '.join(sorted(one.who.roles))}  {sites}  {factor}"


def _json(one: Account) -> str:
    sites = None if one.who.sites is None else sorted(one.who.sites)
    said = {"account": one.who.account, "login": one.login, "name": one.who.name, "sites": sites}
    return json.dumps(said | {"roles": sorted(one.who.roles), "second": sorted(one.second)})


def _log(people: People, found: list[log.Entry], form: str) -> None:
    total, names = log.verify(people.store), people.names()
    for one in found:
        if form == "json":
            print(json.dumps(one._asdict()))
            continue
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(one.at / 1000))
        detail = " ".join(f"{name}={_short(value)}" for name, value in one.detail.items())
        who = names.get(one.account, one.account) or "nobody known"
        print(f"{when}  {who}  {one.what}  {one.where}  {one.status}  {detail}".rstrip())
    if form == "table":
        print(f"{total} entries ever, none changed or taken out")


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

"""`throng rights`: the register of requests, for officers at a terminal."""

from __future__ import annotations

import getpass
import json
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import to_builtins

from consent_filter import signing
from consent_filter.errors import Misconfigured, Refused
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.rights import clock
from consent_filter.rights.case import AT_ONCE, Case
from consent_filter.rights.office import Office
from consent_filter.rights.proof import Code, Judgement
from consent_filter.rights.register import Register
from consent_filter.signing import PublicKey, Signer, to_text
from ingest.settings import Sites
from throng.settings import Settings, load

#: What is done about the data itself, and not about requests.
_DATA = ("run", "preview", "prove", "access", "certificate")


def main(arguments: Namespace) -> int:
    if arguments.what in _DATA:
        from throng import erasure  # brings Beam and DuckDB

        return erasure.main(arguments)
    settings = load(arguments.data)
    with closing(Register.open(arguments.data, settings.rights)) as register:
        register.tidy()
        match arguments.what:
            case "list":
                _list(register, arguments)
            case "show":
                case = register.look(arguments.request, _officer(arguments))
                _show(register, case, arguments.format)
            case "statistics":
                month = arguments.month or datetime.now(UTC).strftime("%Y-%m")
                _print(register.statistics(month), arguments.format)
            case "key":
                _key(register, Sites(settings.site), arguments)
            case "console":
                says = "officers have accounts now: throng access add NAME --role privacy_officer"
                raise Refused(410, "console_token", says)
            case "secret":
                _secret(register, arguments)
            case "answer":
                register.look(arguments.request, _officer(arguments))
                found = register.answer(arguments.request)
                if found is None:
                    raise Refused(404, "no_answer", "there is no answer, or it has been emptied")
                sys.stdout.buffer.write(found[1])
                sys.stdout.flush()
            case "code" if not arguments.send:
                print(register.code(arguments.request))
            case _:
                with office(arguments.data, settings, register) as one:
                    case = _change(one, Sites(settings.site), arguments)
                    _print(_line(case), arguments.format)
    return 0


@contextmanager
def office(data: Path, settings: Settings, register: Register) -> Iterator[Office]:
    """What carries out at once what can be, beside a collector that may be running."""
    file = data / "keys.json"
    if not file.exists():
        raise Refused(404, "no_keys", "there are no keys yet: start the collector on this data folder first")
    sites, keys = Sites(settings.site), Keyring.open(file)
    with closing(Ledger.open(data / "ledger.sqlite", keys, gives=False)) as ledger:
        yield Office(register, ledger, keys, sites, Packs(sites), Signer(data / signing.FILE))


def _change(one: Office, sites: Sites, said: Namespace) -> Case:
    register, name = one.register, _officer(said)
    if said.what == "enter":
        return _enter(one, sites, said, name)
    id, version = said.request, said.version
    match said.what:
        case "code":
            if not one.send_code(id):
                raise Refused(409, "not_sent", "no address on file, no mail server, or it did not take it")
            return register.get(id)
        case "verify":
            if said.code:
                return one.prove(id, Code(said.code), version=version)
            proof = Judgement(said.method or "", said.assurance, _text(said.note) or "", name, said.days)
            return one.prove(id, proof, version=version)
        case "refuse":
            return register.refuse(id, said.ground, name, _text(said.note), until=said.until, version=version)
        case "pause":
            return register.pause(id, name, said.why, version=version)
        case "resume":
            return register.resume(id, name, version=version)
        case "extend":
            return register.extend(id, name, said.why, version=version)
        case "close":
            answer = said.answer.read_bytes() if said.answer else None
            return register.close_by_hand(id, name, _text(said.note) or "", answer, version=version)
    raise AssertionError(said.what)


def _enter(one: Office, sites: Sites, said: Namespace, name: str) -> Case:
    if said.site not in sites:
        raise Misconfigured("--site", said.site, "a site of throng.toml")
    told = {"user": said.user_id, "device": said.device_id, "contact": said.contact}
    kind, id = next(((kind, id) for kind, id in told.items() if id), ("user", ""))
    if id == "-":
        id = sys.stdin.readline().removesuffix("\n")
    if not id and said.right != "complaint":
        raise Misconfigured("--user-id", None, "whose data it is about; or --device-id")
    note = _text(said.note) or ""
    proof = None
    if said.method:
        proof = Judgement(said.method, said.assurance, note, name)
    elif said.right in AT_ONCE:  # to stop is never made hard: that it came is enough (M70)
        proof = Judgement(said.channel, "low", note, name)
    detail: dict[str, Any] = {"purposes": said.purpose, "channels": said.marketing, "country": said.country}
    detail |= {"past": said.past or None, "minor": said.minor or None, "changes": _changes(said.change)}
    case = one.receive(
        said.site, said.right, kind, id, detail=detail, text=note, about=said.about, channel=said.channel,
        received=_day(said.received, sites[said.site].timezone), officer=name, proof=proof, email=said.email,
    )  # fmt: skip
    if said.email and case.state == "unproved":
        case = one.register.vouch(case.id, said.email, name)
    return case


def _changes(said: list[str] | None) -> dict[str, str] | None:
    if not said:
        return None
    pairs = [one.partition("=") for one in said]
    if any(not between for _, between, _ in pairs):
        raise Misconfigured("--change", "…", "FIELD=VALUE")
    return {field: value for field, _, value in pairs}


def _day(said: str, zone: str) -> int:
    """When that day began there."""
    try:
        day = date.fromisoformat(said)
    except ValueError:
        raise Misconfigured("--received", said, "a day such as 2026-11-20") from None
    return clock.begin(zone, day)


def _key(register: Register, sites: Sites, said: Namespace) -> None:
    if said.site not in sites:
        raise Misconfigured("--site", said.site, "a site of throng.toml")
    if said.list:
        for key in register.keys.list(said.site):
            _print(key, said.format)
    elif said.end:
        register.keys.end(said.end)
    elif said.public:
        try:
            public = PublicKey.parse(Path(said.public).read_text())
        except (OSError, ValueError):
            # Never what was given: it may be the private key.
            raise Misconfigured("--public", "…", "a file with an Ed25519 JWK, or the x of it") from None
        _print({"kid": register.keys.add(said.site, public), "alg": "EdDSA"}, said.format)
    else:
        kid, secret = register.keys.make(said.site)
        _print({"kid": kid, "alg": "HS256", "secret": to_text(secret)}, said.format)


def _secret(register: Register, said: Namespace) -> None:
    case = register.get(said.request)
    if case.state == "unproved" or not case.method:
        raise Refused(403, "unproved", "it is not known who asks: verify it first")
    made = register.secret(case.id, answer=True)
    register.note(case.id, "secret made", _officer(said))
    at = register.settings.at.rstrip("/")
    print(f"{at}/rights/{case.id}/answer?secret={made}" if at else made)


def _list(register: Register, said: Namespace) -> None:
    cases = register.cases(closed=said.closed)
    if said.format == "json":
        for case in cases:
            print(json.dumps(_line(case)))
        return
    now = register.now()
    for case in cases:
        print(f"{case.id}  {case.right:9}  {case.site:12}  {case.state:8}  {_clock(case, now)}")
    if not cases:
        print("none")


def _clock(case: Case, now: int) -> str:
    if not case.open:
        return f"closed {_date(case.closed or 0, case.zone)}{f', {case.ground}' if case.ground else ''}"
    if case.paused is not None:
        return f"clock stands since {_date(case.paused, case.zone)}"
    days = (case.due - now) // 86_400_000
    return f"OVERDUE since {_date(case.due, case.zone)}" if now >= case.due else f"{days} days left"


def _line(case: Case) -> dict[str, Any]:
    """What may stand in a list: nothing of the person."""
    return {
        "request": case.id, "site": case.site, "right": case.right, "channel": case.channel,
        "state": case.state, "received": case.received, "due": case.due, "paused": case.paused,
        "extended": case.extended, "ground": case.ground, "version": case.version,
    }  # fmt: skip


def _show(register: Register, case: Case, form: str) -> None:
    whole: dict[str, Any] = to_builtins(case)
    whole["key"] = None  # the ledger's; nobody reads it
    steps = [step._asdict() for step in register.history(case.id)]
    if form == "json":
        print(json.dumps(whole | {"history": steps}, ensure_ascii=False))
        return
    for name, value in whole.items():
        if value not in (None, "", {}, [], False):
            print(f"{name:10} {_date(value, case.zone) if name in _TIMES else value}")
    for step in steps:
        said = f"{step['what']} {step['code']}".strip()
        said += f' "{step["note"]}"' if step["note"] else ""
        print(f"  {_date(step['at'], case.zone, minutes=True)}  {step['who']}: {said}")


_TIMES = ("received", "due", "paused", "until", "closed")


def _date(at: int, zone: str, *, minutes: bool = False) -> str:
    when = datetime.fromtimestamp(at // 1000, UTC).astimezone(ZoneInfo(zone))
    return when.strftime("%Y-%m-%d %H:%M" if minutes else "%Y-%m-%d")


def _print(said: Any, form: str) -> None:
    if form == "json":
        print(json.dumps(said))
        return
    for name, value in said.items():
        print(f"{name:12} {json.dumps(value) if isinstance(value, dict) else value}")


def _officer(said: Namespace) -> str:
    return said.officer or getpass.getuser()


def _text(said: str | None) -> str | None:
    return sys.stdin.read().strip() if said == "-" else said

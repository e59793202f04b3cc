"""`throng check`: settings, keys, disks, brokers, versions, clock; says what is wrong and how to mend it."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

from consent_filter import policy, regions, signing
from consent_filter.errors import Broken, Misconfigured, Refused
from consent_filter.failure import describe
from consent_filter.ledger import Ledger
from consent_filter.one_table import FILE
from consent_filter.rights import store, vault
from consent_filter.signing import SigningKey
from ingest.enrich.place import Places
from throng import belonging, brokers, transport, volumes
from throng import keys as lasting
from throng.settings import Settings, load
from warehouse import catalogue

_CORRECT = "correct it in throng.toml"
#: Below this much free space the log is about to refuse events.
DISK_WARN = 1 << 30


class Finding(NamedTuple):
    """One thing looked at. `mend` is empty where all is well."""

    about: str
    says: str
    mend: str = ""


def settings(data: Path, found: Settings) -> Iterator[Finding]:
    """Every pack loads, the geo database opens, the sites are safe for the address bound,
    and what comes over a network is encrypted."""
    file = data / FILE
    yield Finding("settings", f"{file} is well" if file.exists() else "no throng.toml: defaults")
    packs = policy.Packs({site.id: site for site in found.site})
    for site in found.site:
        pack = packs[site.id]
        yield Finding("policy", f"{site.id}: {pack.name} {pack.version}, days of {site.timezone}")
        for first, other in packs.history(site.id).eras[1:]:
            since = date(1970, 1, 1) + timedelta(days=first)
            yield Finding("policy", f"{site.id}: {other.name} {other.version} is in force from {since}")
        to = ", ".join(pack.recipients) or "nobody"
        yield Finding("policy", f"{site.id}: facts kept {pack.facts_days} days, released tables for {to}")
        for country in pack.unlawful(date.today()):
            mend = f"name in the pack what allows it, or send nothing to {country}"
            yield Finding("policy", f"{site.id}: no mechanism allows what goes to {country}", mend)
        here = found.folder.region
        says = f"{site.id}: rows of {site.region or 'no named region'}, kept in {here or 'no named region'}"
        if site.region == here:
            if here:
                yield Finding("policy", says)
        else:
            by = regions.allowed(pack, site.region, here, date.today())
            mend = "" if by else f"keep them in a folder there, or name in {pack.name} what allows it"
            yield Finding(
                "policy", f"{says}, by {by.mechanism}" if by else f"{says}: nothing allows it", mend
            )
        for warning in pack.warnings:
            yield Finding("policy", f"{site.id}: of the text: {warning}")
    if not found.site and found.ingest.host not in ("127.0.0.1", "localhost", "::1"):
        yield Finding(
            "sites",
            f"none declared, yet the collector binds {found.ingest.host}",
            "declare [[site]] in throng.toml",
        )
    Places.open(found.ingest.geo or None, found.ingest.networks)
    yield Finding("places", "the country database opens")
    for says, mend in transport.found(data, found):
        yield Finding("transport", says, mend)


def keys(data: Path, told: Settings) -> Iterator[Finding]:
    """The keyring and the key that signs receipts are the owner's alone, and the latter is a key."""
    for name, when in (("keys.json", "the first event comes"), (signing.FILE, "a receipt is asked for")):
        file = data / name
        if not file.exists():
            yield Finding("keys", f"no {name} yet: made when {when}")
            continue
        mode = stat.S_IMODE(file.stat().st_mode)
        mend = "" if mode & 0o077 == 0 else f"chmod 600 {file}"
        yield Finding("keys", f"{file} has mode {mode:o}", mend)
        if name == signing.FILE:
            try:
                yield Finding("keys", f"receipts are signed with {SigningKey.read(file).public.id}")
            except Broken:
                mend = f"restore {file} from a backup, or move it away to sign with a new key"
                yield Finding("keys", f"{file} is no key: no receipt can be signed", mend)
    if said := belonging.wrong(data):
        what, _, mend = said.partition(": ")
        yield Finding("keys", what, mend)


def due(data: Path, told: Settings) -> Iterator[Finding]:
    """Keys were replaced and destroyed when they should have been."""
    if belonging.wrong(data) or not (data / "keys.json").exists():
        return
    late = lasting.waiting(data, told.keys)
    for one in late:
        yield Finding("keys", one, "let `throng up` run: the collector does it; `throng keys` lists them")
    if not late:
        yield Finding("keys", "none is to be replaced or destroyed by now")


def ledger(data: Path, told: Settings) -> Iterator[Finding]:
    """The chain of consent records is whole."""
    file = data / "ledger.sqlite"
    if not file.exists():
        yield Finding("ledger", "none yet: made when the first choice comes")
        return
    with closing(Ledger.open(file, read_only=True)) as one:
        whole, unread = one.verify(), one.unheard()
    for place in unread:
        says = f"message {place} of its topic can't be read; whoever it is about is refused everything"
        yield Finding("ledger", says, "start the collector that told it; or give it up (docs/kafka.md)")
    mend = "" if whole else "the ledger was changed outside Throng: restore it from a backup"
    yield Finding("ledger", "hash chain verifies" if whole else "the hash chain does not verify", mend)


def requests(data: Path, told: Settings) -> Iterator[Finding]:
    """The register of requests opens, is its owner's alone, and nothing that was done was taken out of it."""
    if not (data / store.FILE).exists():
        yield Finding("requests", "no register yet: made when somebody asks for their data")
        return
    for name in (store.FILE, vault.FILE):
        if (data / name).exists() and (mode := stat.S_IMODE((data / name).stat().st_mode)) & 0o077:
            yield Finding("requests", f"{data / name} has mode {mode:o}", f"chmod 600 {data / name}")
    with closing(store.Store.open(data)) as register:
        whole = register.verify()
    mend = "" if whole else "the register was changed outside Throng: restore it from a backup"
    yield Finding("requests", "what was done verifies" if whole else "its hash chain does not verify", mend)


def disk(data: Path, told: Settings) -> Iterator[Finding]:
    """There is room, and the folder can be written."""
    place = data
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    mend = "" if free > DISK_WARN else "make room: with none left the collector answers 503"
    yield Finding("disk", f"{free / (1 << 30):.1f} GiB free at {place}", mend)
    if not os.access(place, os.W_OK):
        yield Finding("disk", f"{place} can't be written", f"chown or chmod {place}")


def at_rest(data: Path, told: Settings) -> Iterator[Finding]:
    """What lies on disks is encrypted, as far as can be seen from here."""
    for says, mend in volumes.found(data, told):
        yield Finding("at rest", says, mend)


def kafka(data: Path, told: Settings) -> Iterator[Finding]:
    """Brokers of the log answer, and their topics are as they have to be."""
    for says, mend in brokers.found(data, told.log):
        yield Finding("brokers", says, mend)


def versions(data: Path, told: Settings) -> Iterator[Finding]:
    """What is installed is what the project names."""
    yield Finding(
        "python", sys.version.split()[0], "" if sys.version_info >= (3, 11) else "use Python 3.11 or newer"
    )
    locked = True
    for line in requires("throng") or []:
        name, _, wanted = line.partition("==")
        if not wanted or ";" in line or "[" in name:
            continue
        try:
            has = version(name)
        except PackageNotFoundError:
            has = "missing"
        if not has.startswith(wanted.rstrip("*")):
            locked = False
            yield Finding("packages", f"{name} is {has}, not {wanted}", "make setup")
    if locked:
        yield Finding("packages", "as locked")


def clock(data: Path, told: Settings) -> Iterator[Finding]:
    """The clock is not before what this folder has already seen."""
    now = time.time()
    newest = max(map(_written, data.rglob("*")), default=0.0)
    if newest > now + 300:
        yield Finding(
            "clock",
            f"it is {newest - now:.0f} s behind the newest file here",
            "set the clock (NTP) before starting",
        )
    else:
        yield Finding("clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)))


def _written(path: Path) -> float:
    """When a file was written last. While all is running files come and go."""
    try:
        return path.stat().st_mtime if path.is_file() else 0.0
    except FileNotFoundError:
        return 0.0


def adverts(data: Path, told: Settings) -> Iterator[Finding]:
    """The list of adverts can be read; reports go on with the last one that could be."""
    file = data / told.adverts.catalogue
    try:
        found = catalogue.read(file)
    except Misconfigured as error:
        yield Finding("adverts", str(error), f"correct it in {file}: `throng adverts check`")
        return
    says = f"{len(found.campaign)} campaigns are listed" if file.exists() else "no campaign is listed"
    yield Finding("adverts", says)


LOOK: tuple[Callable[[Path, Settings], Iterator[Finding]], ...] = (
    settings, adverts, keys, due, ledger, requests, disk, at_rest, kafka, versions, clock,
)  # fmt: skip
#: Those that look at what the settings say: there is nothing to look at where these can't be read.
_SAID = {settings, adverts, due, at_rest, kafka}


def findings(data: Path) -> Iterator[Finding]:
    """All of them, by one reading of the settings; one that breaks is a finding too, and does not hide the
    others."""
    told: Settings | None = None
    try:
        told = load(data)
    except Misconfigured as error:
        yield Finding("settings", str(error), _CORRECT)
    for look in LOOK:
        if told is None and look in _SAID:
            continue
        try:
            yield from look(data, told or Settings())
        except Misconfigured as error:
            yield Finding(look.__name__, str(error), _CORRECT)
        except (Broken, Refused, OSError) as error:
            yield Finding(look.__name__, describe(error), "see above")


def main(arguments: Namespace) -> int:
    wrong = 0
    for about, says, mend in findings(arguments.data):
        print(f"{'WRONG' if mend else 'ok':<6}{about:<10}{says}")
        if mend:
            print(f"      {'':<10}to mend it: {mend}")
            wrong += 1
    print("all is well" if not wrong else f"{wrong} to mend")
    return 1 if wrong else 0

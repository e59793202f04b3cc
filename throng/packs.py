"""`throng release` from a draft to what a recipient holds: rendered, approved by a person, delivered."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from consent_filter import signing
from consent_filter.errors import Misconfigured, Refused
from consent_filter.policy import Packs
from consent_filter.signing import Signer
from ingest.settings import Sites
from throng import __version__, pages, recalling
from throng.settings import Settings, load
from warehouse import deliveries, draft, egress, grounds, link, objections, pack, period, recipient
from warehouse.attack import beside
from warehouse.deliveries import Delivery, Ledger, Release
from warehouse.draft import Draft
from warehouse.homes import homes
from warehouse.lake import Lake
from warehouse.pack import Content, Figure, Given, Ground

_DAY = 86_400_000


def prepare(data: Path, made: Draft, *, why: str = "", by: str = "") -> Release:
    """Render a draft for whoever approves it, and write it down as the next version. Again, it is the same.

    Raises Refused where there is a version already and nobody says what this one mends.
    """
    with deliveries.ledger(data) as book, book.changing():
        versions = book.versions(made.audience, made.period, made.sites)
        found = next((one for one in versions if one.id == made.id), None)
        if found is None:
            if versions and not why.strip():
                last = versions[-1]
                raise Refused(409, "why", f"{last.id} is version {last.version}: say --why there is another")
            if any(one.id == made.id for one in book.releases()):
                raise Refused(409, "draft", "this draft is a release of something else already")
            sites = tuple(sorted(made.sites))
            found = Release(made.id, made.audience, made.period, sites, len(versions) + 1, why.strip(),
                            _drafted(data, made.id), deliveries.now(), by)  # fmt: skip
            book.add(found, [_table(one) for one in made.tables], _homes(data, made.sites))
        elif found.draft != _drafted(data, made.id):
            raise Refused(409, "draft", "the draft is not the one that was prepared")
        files = render(data, book, made, found)
    _put(preview(data, made.id), files)
    return found


def _homes(data: Path, sites: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Of which regions the rows of each site are: as the settings say, and as the rows themselves do, which a
    site that was given another region does not change (M100)."""
    known = Sites(load(data).site)
    found = {site: {known[site].region} for site in sites}
    lake = Lake.open(data)
    if lake is not None:
        try:
            for site, region in homes(lake):
                if site in found:
                    found[site].add(region)
        finally:
            lake.close()
    return {site: tuple(sorted(regions)) for site, regions in found.items()}


def preview(data: Path, release: str) -> Path:
    """Where what waits for approval can be looked at."""
    return data / "releases" / "previews" / release


def render(
    data: Path, book: Ledger, made: Draft, of: Release, *, given: Given | None = None, called: str = "",
    stands: Sequence[Ground] = (), key: str = "",
) -> dict[str, bytes]:  # fmt: skip
    """The files of a pack but its manifest."""
    from dashboards.packs import files, story  # brings the libraries that draw

    compared, earlier = year_before(data, book, made)
    tables = {one.name: draft.table(data, made.id, one.name) for one in made.tables}
    egress.inspect(made, tables)
    told = story.tell(
        made, tables, given=given, called=called, revisions=book.revisions(of), grounds=stands,
        earlier=earlier, compared=compared, key=key,
    )  # fmt: skip
    where = draft.folder(data) / made.id
    drafted = {one.name: (where / f"{one.name}.parquet").read_bytes() for one in made.tables}
    for name, file in drafted.items():
        beside.clean(name, file)
    return files.files(told, drafted)


def year_before(data: Path, book: Ledger, made: Draft) -> tuple[dict[str, str], dict[str, Any]]:
    """The newest approved release of the same a year ago, and its tables; nothing where there is none."""
    before = period.read(made.period).before.name
    for one in reversed(book.versions(made.audience, before, made.sites)):
        if book.state(one.id) == deliveries.APPROVED and (draft.folder(data) / one.id / draft.FILE).exists():
            old = draft.read(data, one.id)
            tables = {table.name: draft.table(data, one.id, table.name) for table in old.tables}
            return {"release": one.id, "draft": one.draft}, tables
    return {}, {}


def approve(data: Path, release: str, by: str) -> None:
    """Write down that a person answers for it. Raises Refused for whoever has made it, and where somebody
    who is heard before objects."""
    made = draft.read(data, release)
    with deliveries.ledger(data) as book, book.changing():
        one = book.release(release)
        if (state := book.state(release)) != deliveries.AWAITS:
            raise Refused(409, "state", f"it is {state} already")
        if not by.strip():
            raise Refused(400, "by", "say who approves it: a person's name")
        if one.by and one.by.casefold() == by.strip().casefold():
            raise Refused(403, "same_person", f"{one.by} has made it; somebody else has to approve it")
        if one.draft != _drafted(data, release):
            raise Refused(409, "draft", "the draft is not the one that was prepared")
        objections.approval(data, made)
        book.take(release, "approved", by=by.strip())


def deliver(
    data: Path, settings: Settings, release: str, to: str, *, days: int, times: int, by: str = "",
    today: date | None = None,
) -> tuple[Delivery, str]:  # fmt: skip
    """Sign a pack for a recipient and write down that it has it; the delivery, and the word of its link.

    Raises Refused: nobody has approved it, it is recalled or there is a newer version, the recipient is not
    known, or over, or of another kind, no mechanism allows it to go there, or somebody objects.
    """
    if not 1 <= days <= 366 or not 1 <= times <= 1000:
        raise Refused(400, "link", "a link ends after 1 to 366 days and 1 to 1000 fetches")
    day, made = today or datetime.now(UTC).date(), draft.read(data, release)
    who = recipient.find(settings.recipient, to, made.audience, day)
    key = Signer(data / signing.FILE).key()
    pinned = who.pinned()
    if pinned is not None and pinned.id != key.public.id:
        raise Refused(409, "other_key", f"{to} has pinned another key than the one that signs here")
    sites = Sites(settings.site)
    with deliveries.ledger(data) as book, book.changing():
        span = period.read(made.period)
        stands = grounds.of(Packs(sites).history, book.homes(release), made.sites, span, who.region, day)
        one = book.release(release)
        _may_go(book, one)
        if one.draft != _drafted(data, release):
            raise Refused(409, "draft", "the draft is not the one that was approved")
        zones = {site: sites[site].timezone for site in made.sites}
        objections.delivery(data, made, who, settings.recipient, zones)
        given = Given(who.name, who.kind, who.region, who.terms.id, who.terms.permitted_use)
        files = render(
            data, book, made, one, given=given, called=who.called, stands=stands, key=key.public.id
        )
        id, at = secrets.token_hex(8), deliveries.now()
        approved = book.step(release, "approved")
        assert approved is not None
        compared, _ = year_before(data, book, made)
        line = pack.draw(
            key, id=id, release=release, audience=made.audience, period=made.period, first=str(span.first),
            last=str(span.last), sites=one.sites, drafted=int(made.made_at * 1000), approved=approved.at,
            approved_by=approved.by, delivered=at, given=given, confidence=repr(made.confidence),
            files=pack.listed(files), tables=[_content(table) for table in made.tables],
            policies=made.policies, mix=made.mix, transfers=made.transfers, grounds=stands,
            revisions=book.revisions(one), compared=compared, made_of=pack.exact(made.made_of), code=_code(),
        )  # fmt: skip
        whole = pack.zipped(files | {pack.MANIFEST: line})
        _write(deliveries.packed(data, id), whole)
        given_ = Delivery(id, release, to, at, pack.sha256(whole), who.terms.id, who.region, tuple(stands),
                          at + days * _DAY, times, by)  # fmt: skip
        objections.given(data, made, who, zones)
        book.deliver(given_)
    return given_, link.make(key, id, given_.expires)


def _may_go(book: Ledger, one: Release) -> None:
    state = book.state(one.id)
    if state != deliveries.APPROVED:
        raise Refused(409, "not_approved", f"it is {state}: throng release approve {one.id} --by NAME")
    newer = book.newer(one)
    if newer is not None:
        raise Refused(409, "superseded", f"there is a newer version: {newer.id}")


def _table(one: draft.Table) -> Mapping[str, Any]:
    return {"name": one.name, "keys": one.keys, "numbers": [number.name for number in one.numbers],
            "rows": one.rows, "sha256": one.sha256}  # fmt: skip


def _content(one: draft.Table) -> Content:
    figures = tuple(Figure(n.name, n.most, repr(n.scale), repr(n.clipped)) for n in one.numbers)
    return Content(
        one.name, one.purpose, one.method, one.keys, figures, one.rows, one.held_back, one.cells, one.least,
        repr(one.rho), repr(one.delta), one.sha256,
    )  # fmt: skip


def _code() -> dict[str, str]:
    """What has rendered it: with the same, the same draft gives the same bytes."""
    libraries = ("matplotlib", "reportlab", "xlsxwriter", "pyarrow")
    return {"throng": __version__, **{name: version(name) for name in libraries}}


def _drafted(data: Path, name: str) -> str:
    return pack.sha256((draft.folder(data) / name / draft.FILE).read_bytes())


def _put(where: Path, files: Mapping[str, bytes]) -> None:
    shutil.rmtree(where, ignore_errors=True)
    for name, body in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_bytes(body)


def _write(path: Path, body: bytes) -> None:
    """Whole and on the disk before anyone is told of it; nobody else's to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def drafted(
    data: Path, settings: Settings, audience: str, of: str, sites: Sequence[str], *, held: bool = False
) -> Draft:
    """The draft of a period: the one that there is, or a new one, which spends budget. held: the caller has
    pipeline.lock."""
    from pipelines import drafting  # brings Beam
    from throng import lock
    from throng.jobs import vet

    named = [Sites(settings.site).named(name) for name in sites]
    with nullcontext() if held else lock.pipeline(data):  # what is being erased is not drafted
        vet(data)
        return drafting.run(data, audience, period.read(of), settings.site, settings.release,
                            settings.pipelines, sites=named, version=__version__)  # fmt: skip


def main(arguments: Namespace) -> int:
    data, settings = arguments.data, load(arguments.data)
    match arguments.what:
        case "approve":
            approve(data, arguments.release, arguments.by)
            with deliveries.ledger(data) as book:
                of = book.release(arguments.release)
            told = recalling.restate(data, settings, of)
            said = {"release": of.id, "state": deliveries.APPROVED, "by": arguments.by,
                    "told": [one.recipient for one in told]}  # fmt: skip
        case "deliver":
            at = _start(arguments.at, data, settings)
            one, word = deliver(data, settings, arguments.release, arguments.to, days=arguments.days,
                                times=arguments.times, by=arguments.by)  # fmt: skip
            said = {"delivery": one.id, "recipient": one.recipient, "link": f"{at}/packs/{word}",
                    "expires": recalling.moment(one.expires), "times": one.times,
                    "sha256": one.pack_sha256, "pack": str(deliveries.packed(data, one.id))}  # fmt: skip
        case "recall":
            told = recalling.recall(data, settings, arguments.release, arguments.why, by=arguments.by)
            said = {"release": arguments.release, "state": deliveries.RECALLED,
                    "told": [one.recipient for one in told], "notices": [str(one.file) for one in told],
                    "mailed": [one.recipient for one in told if one.mailed]}  # fmt: skip
        case _:
            if arguments.draft:
                made = draft.read(data, arguments.draft)
            else:
                made = drafted(data, settings, arguments.audience, arguments.period, arguments.sites)
            if (made.audience, made.period) != (arguments.audience, arguments.period):
                raise Refused(400, "draft", f"that draft is for {made.audience}, {made.period}")
            of = prepare(data, made, why=arguments.why, by=arguments.by)
            with deliveries.ledger(data) as book:
                state = book.state(of.id)
            said = {"release": of.id, "version": of.version, "state": state,
                    "look at": str(preview(data, of.id) / "report.pdf")}  # fmt: skip
    _print(said, arguments.format)
    return 0


def _start(at: str | None, data: Path, settings: Settings) -> str:
    """Where the dashboards are for the recipient; as for everybody unless said."""
    if at is None:
        return pages.reached(data, settings)
    parts = urlsplit(at)
    if parts.scheme not in ("https", "http") or not parts.netloc or parts.query or "@" in parts.netloc:
        raise Misconfigured("--at", "…", "https:// and the address that leads to the dashboards")
    return at.rstrip("/")


def _print(said: Mapping[str, Any], form: str) -> None:
    if form == "json":
        print(json.dumps(said))
        return
    for name, value in said.items():
        print(f"{name:10} {', '.join(value) or 'nobody' if isinstance(value, list) else value}")

"""`throng policy`: what is wrong with it, what keeps its sentences, and what a change of it means."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from importlib.resources import files
from pathlib import Path

from consent_filter import catalogue, policy_faults, policy_text
from consent_filter.errors import Misconfigured
from consent_filter.fields import FIELDS
from consent_filter.policy import load
from consent_filter.policy_change import Change, changes, reset
from consent_filter.promises import bind, broken, marked, requirements
from consent_filter.promises_page import Run, page
from throng import notice, processors, settings
from warehouse import report


def diff(arguments: Namespace) -> int:
    """Two packs, by name or path. 1 where the new one differs and goes by the old one's version."""
    old, new = load(arguments.old), load(arguments.new)
    found, again = changes(old, new), reset(old, new)
    same = bool(found) and (old.name, old.version) == (new.name, new.version)
    if arguments.format == "json":
        said = {
            "old": {"name": old.name, "version": old.version},
            "new": {"name": new.name, "version": new.version},
            "version_stands": same,
            "changes": [change._asdict() for change in found],
            "reset": again,
        }
        print(json.dumps(said))
        return int(same)
    if not found:
        print("nothing changes")
    for significant, title in ((True, "significant"), (False, "minor")):
        some = [change for change in found if change.significant is significant]
        if some:
            print(f"{title}: {len(some)}")
            for change in some:
                print(_line(change))
    if again:
        print("to be asked again, by regime:")
        for regime, purposes in again.items():
            print(f"  {regime:<20}{', '.join(purposes)}")
    if same:
        print(f"{new.name} is still version {new.version}: a changed policy needs a new one")
    return int(same)


def fields(arguments: Namespace) -> int:
    """The catalogue of every column (M41)."""
    reports = report.load().values()
    readers = {
        field.name: [one.name for one in reports if one.mentions(field.name) or field.name in one.keys]
        for field in FIELDS
        if field.keep is not None
    }
    found = catalogue.entries([load(name) for name in shipped()], readers)
    if arguments.format == "json":
        print(json.dumps([catalogue.plain(entry) for entry in found]))
    elif arguments.out:
        arguments.out.write_text(catalogue.page(found))
    else:
        print(catalogue.page(found), end="")
    return 0


def shipped() -> list[str]:
    """The packs that ship, by name."""
    names = (file.name for file in (files("consent_filter") / "packs").iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def promises(arguments: Namespace) -> int:
    """The page of promises. 1 where what is said to be kept has lost its rule or its test."""
    if not (arguments.root / "tests").is_dir():
        raise Misconfigured("--root", str(arguments.root), "a folder with tests/: a checkout of the project")
    found = bind(requirements(), [load(name) for name in shipped()], marked(arguments.root))
    wrong = broken(found)
    if arguments.format == "json":
        print(json.dumps([one._asdict() | {"requirement": one.requirement.says} for one in found]))
    else:
        text = page(found, _runs(arguments.run) if arguments.run else None)
        if arguments.out:
            arguments.out.write_text(text)
        else:
            print(text, end="")
    for sentence in wrong:
        print(f"throng: {sentence}", file=sys.stderr)
    return int(bool(wrong))


def lint(arguments: Namespace) -> int:
    """Packs, by name or path, and texts, by path. 1 where one of the findings is an error."""
    names = arguments.file or _in_use(arguments.data) or shipped()
    operators = _operators(arguments.data)
    found = {name: _faults(name, operators) for name in names}
    if arguments.format == "json":
        print(json.dumps({name: [one._asdict() for one in some] for name, some in found.items()}))
    else:
        for name, some in found.items():
            print(f"{name}: {len(some) or 'nothing'} found")
            for one in some:
                print(
                    f"  {one.severity:<8}{one.code:<25}{one.where}\n          {one.says}\n          {one.why}"
                )
    return int(any(one.severity == policy_faults.ERROR for some in found.values() for one in some))


def _in_use(data: Path) -> list[str]:
    return sorted({name for site in settings.load(data).site for name in site.packs})


def _operators(data: Path) -> list[tuple[str, ...]]:
    """The names of each operator that packs or settings know, each list once."""
    sites = settings.load(data).site
    known = [load(name).aliases for name in {*shipped(), *_in_use(data)}]
    return [*{names for names in (*known, *(site.aliases for site in sites)) if names}]


def _faults(name: str, operators: list[tuple[str, ...]]) -> list[policy_faults.Finding]:
    if name.endswith(".toml") or "." not in Path(name).name:
        if name.endswith(".toml") and Path(name).is_file():
            try:
                return policy_faults.faults(load(name))
            except Misconfigured as error:  # what no pack may say is a finding, not a mistyped command
                return [policy_faults.refused(error)]
        return policy_faults.faults(load(name))
    try:
        return policy_text.faults(Path(name).read_text(), operators)
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(
            "FILE", name, "a pack that ships, a .toml file, or the text of a policy"
        ) from None


def _runs(file: Path) -> dict[str, Run]:
    """What runs of the tests have left: node id → when it passed last, and at which commit."""
    try:
        return {node: Run(*said) for node, said in json.loads(file.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        raise Misconfigured("--run", str(file), "what `THRONG_PROMISES=FILE make test` writes") from None


def _line(change: Change) -> str:
    names = ", ".join(change.countries[:3])
    more = f" and {len(change.countries) - 3} more" if len(change.countries) > 3 else ""
    where = f" ({names}{more})" if names else ""
    said = f"{change.before or 'nothing'} → {change.after or 'nothing'}"
    return f"  {change.what:<20}{change.where}: {said}{where}"


def main(arguments: Namespace) -> int:
    does = {
        "diff": diff,
        "fields": fields,
        "lint": lint,
        "promises": promises,
        "processors": processors.main,
        "publish": notice.publish,
        "notify": notice.notify,
        "notified": notice.notified,
    }
    return does[arguments.what](arguments)

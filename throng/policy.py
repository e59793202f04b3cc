"""`throng policy`: what a change of policy means, and whom it asks again."""

from __future__ import annotations

import json
from argparse import Namespace

from consent_filter.policy import load
from consent_filter.policy_change import Change, changes, reset


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


def _line(change: Change) -> str:
    names = ", ".join(change.countries[:3])
    more = f" and {len(change.countries) - 3} more" if len(change.countries) > 3 else ""
    where = f" ({names}{more})" if names else ""
    said = f"{change.before or 'nothing'} → {change.after or 'nothing'}"
    return f"  {change.what:<20}{change.where}: {said}{where}"


def main(arguments: Namespace) -> int:
    return {"diff": diff}[arguments.what](arguments)

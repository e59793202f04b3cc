"""What all that happens to a request needs: finding it, changing it, its clock, who asks how often."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from consent_filter.errors import Refused
from consent_filter.rights import clock
from consent_filter.rights.case import AT_ONCE, OPEN, Case, Step
from consent_filter.rights.keys import SiteKeys
from consent_filter.rights.settings import Rights
from consent_filter.rights.store import Store

DAY = 86_400_000
#: A step that changes nothing.
LOOKED = "looked"


class Docket:
    """The requests of one data folder. `now`: UTC milliseconds."""

    def __init__(self, store: Store, settings: Rights, now: Callable[[], int]) -> None:
        self.store, self.settings, self.now = store, settings, now
        self.keys = SiteKeys(store, now)

    def close(self) -> None:
        self.store.close()

    def get(self, id: str) -> Case:
        """The request; of one that was joined to another, that one. Raises Refused (no_such_request)."""
        row = self.store.row(id)
        while row["joined"]:
            row = self.store.row(row["joined"])
        return self.store.case(row)

    def history(self, id: str) -> list[Step]:
        """What was done to it, by whom, oldest first."""
        return self.store.steps(id)

    def cases(self, *, closed: bool = False) -> list[Case]:
        """All that are open, most urgent first; or those that are closed, the last first."""
        if closed:
            return self.store.cases("WHERE state IN ('done', 'refused') ORDER BY closed DESC, id")
        return self.store.cases("WHERE state IN ('unproved', 'verified') ORDER BY due, id")

    def counts(self) -> dict[str, int]:
        """How many are open, of these still unproved, and overdue: whose clock has run out."""
        row = self.store.rows(
            "SELECT count(*) AS open, coalesce(sum(state = 'unproved'), 0) AS unproved,"
            " coalesce(sum(paused IS NULL AND due <= ?), 0) AS overdue"
            " FROM request WHERE state IN ('unproved', 'verified')",
            self.now(),
        )[0]
        return {name: int(row[name]) for name in ("open", "unproved", "overdue")}

    def note(self, id: str, what: str, code: str = "") -> None:
        """Write down something that happened; nothing of the request changes."""
        with self.store.transaction():
            self.store.step(id, self.now(), "throng", what, code)

    def untold(self) -> list[tuple[str, str]]:
        """Requests of which there is something new to tell: number, and extended, done or refused."""
        rows = self.store.rows(
            "SELECT id, CASE WHEN state = 'verified' THEN 'extended' ELSE state END AS what FROM request"
            " WHERE emptied IS NULL AND (state IN ('done', 'refused') AND told != state"
            " OR state = 'verified' AND extended AND told = '')"
        )
        return [(row["id"], row["what"]) for row in rows]

    def tell(self, id: str, what: str) -> None:
        """The person has been told, or can't be."""
        with self.store.transaction() as database:
            database.execute("UPDATE request SET told = ? WHERE id = ?", (what, id))

    def _open(self, id: str, state: str | None = None, version: int | None = None) -> sqlite3.Row:
        """Its row. Raises Refused where it is closed, elsewhere in its way, or changed since that version."""
        row = self.store.row(id)
        if version is not None and row["version"] != version:
            last = [step for step in self.store.steps(id) if step.what != LOOKED][-1]
            when = datetime.fromtimestamp(last.at // 1000, UTC).strftime("%-d %b %H:%M UTC")
            raise Refused(
                409, "changed", "{who} was here at {when}, since you looked ({what}): look again",
                who=last.who, when=when, what=last.what,
            )  # fmt: skip
        if row["state"] not in OPEN:
            raise Refused(409, "closed", "it is closed")
        if state and row["state"] != state:
            if state == "unproved":
                raise Refused(409, row["state"], "it is known already who asks")
            raise Refused(409, row["state"], "it is not yet known who asks")
        return row

    def _hold(self, id: str, **more: Any) -> None:
        """Change what is sealed; what is None stays. Part of the caller's transaction."""
        held = self.store.opened(self.store.row(id)) | {k: v for k, v in more.items() if v is not None}
        self.store.database.execute(
            "UPDATE request SET sealed = ? WHERE id = ?", (self.store.sealed(id, held), id)
        )

    def _resume(self, id: str, now: int) -> None:
        """The clock runs again, where it stood; the days that it stood are added."""
        row = self.store.row(id)
        if row["paused"] is not None:
            stood = row["stood"] + clock.between(row["zone"], row["paused"], now)
            due = self._due(row["zone"], row["received"], extended=bool(row["extended"]), stood=stood)
            self.store.change(id, paused=None, stood=stood, due=due)

    def _due(self, zone: str, received: int, *, extended: bool = False, stood: int = 0) -> int:
        return clock.due(zone, received, extended=extended, stood=stood, holidays=self.settings.holidays)

    def _same(self, person: bytes, scope: bytes, states: Sequence[str], but: str = "") -> str | None:
        """The first open request of that person for the same thing."""
        marks = ", ".join("?" * len(states))
        found = self.store.rows(
            f"SELECT id FROM request WHERE person = ? AND scope = ? AND id != ? AND state IN ({marks})"
            " ORDER BY received, id LIMIT 1",
            person, scope, but, *states,
        )  # fmt: skip
        return str(found[0]["id"]) if found else None

    def _too_often(self, row: sqlite3.Row, now: int) -> bool:
        """Whether one person has asked too often (M114). To stop processing is never too often."""
        if not self.settings.limit or row["asked"] in (*AT_ONCE, "complaint", "guardian"):
            return False
        n = self.store.rows(
            "SELECT count(*) AS n FROM request WHERE person = ? AND asked = ? AND proved > ? AND id != ?"
            " AND state IN ('verified', 'done')",
            row["person"], row["asked"], now - self.settings.limit_days * DAY, row["id"],
        )[0]["n"]  # fmt: skip
        return bool(n >= self.settings.limit)


def one_of(value: str, allowed: Sequence[str] | Mapping[str, str], name: str) -> None:
    """Raises Refused for anything else; never with what it was."""
    if value not in allowed:
        raise Refused(400, name, "{name} is one of {allowed}", name=name, allowed=", ".join(allowed))


def who(officer: str | None) -> str:
    return f"officer {officer}" if officer else "throng"

"""The register of requests: from receiving one, through the proof of who asks, to its answer and its end.

Everything is durable on return, in a file of its own (`store.py`) that several processes may write at once:
the collector, the command line, the officer's console and the pipeline. Who asks is told nothing about
anybody's data, not even whether there is any, before it is known who asks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from consent_filter.errors import Refused
from consent_filter.rights.case import CARRIED, CHANNELS, GROUNDS, KEEPING, KINDS, OPEN, RIGHTS, Case
from consent_filter.rights.docket import LOOKED, one_of, who
from consent_filter.rights.emptying import tidy
from consent_filter.rights.proof import Proof
from consent_filter.rights.proving import Proving, letters
from consent_filter.rights.settings import Rights
from consent_filter.rights.statistics import month
from consent_filter.rights.store import Store


def _clock() -> int:
    return time.time_ns() // 1_000_000


class Register(Proving):
    """The register of one data folder; any thread may call anything."""

    @classmethod
    def open(cls, data: Path, settings: Rights | None = None, now: Callable[[], int] = _clock) -> Register:
        """The register there, made where there is none. Raises Broken where its key is gone or damaged."""
        return cls(Store.open(data), settings or Rights(), now)

    def receive(
        self,
        site: str,
        right: str,
        key: bytes,
        *,
        kind: str = "user",
        subject: str | None = None,
        channel: str = "api",
        zone: str = "UTC",
        detail: Mapping[str, Any] | None = None,
        email: str | None = None,
        text: str | None = None,
        about: Sequence[str] = (),
        received: int | None = None,
        officer: str | None = None,
        proof: Proof | None = None,
    ) -> Case:
        """Enter a request, and ask who it is: the clock stands until that is proved (M117, M118).

        key: the ledger's, `Ledger.key(site, kind, id)`. subject: the id itself; sealed. received: when it
        came, for what an officer enters. proof: what came with it; if it proves nothing, nothing is entered.

        An officer who enters what is there already gets its number, and so does whoever proves who they are.
        Anybody else gets a new one first: the same one would tell them that somebody has asked.
        """
        now = self.now()
        for value, allowed, name in (
            (right, RIGHTS, "right"),
            (channel, CHANNELS, "channel"),
            (kind, KINDS, "kind"),
        ):
            one_of(value, allowed, name)
        if received is not None and received > now:
            raise Refused(400, "received", "it can't have come in the future")
        came, detail = now if received is None else received, dict(detail or {})
        person = self.store.vault.hash("person", key)
        scope = self.store.vault.hash("scope", json.dumps([site, right, detail], sort_keys=True).encode())
        held: dict[str, Any] = {
            "kind": kind,
            "key": key.hex(),
            "subject": subject,
            "detail": detail,
            "email": email,
        }
        held |= {"text": text, "vouched": bool(email) and email == subject}
        id = "R-" + "-".join(letters(4) for _ in range(3))  # 60 bits, and can be read out on the telephone
        # A complaint shows and changes nobody's data: it is registered as it comes (M121).
        state = "verified" if right == "complaint" else "unproved"
        try:
            with self.store.transaction() as database:
                known = None
                if proof is not None and state == "unproved":
                    provisional = Case(id=id, site=site, right=right, kind=kind, key=key, state=state,
                                       received=came, due=came, subject=subject)  # fmt: skip
                    known = self._known(provisional, proof)
                states = OPEN if officer else ("verified",)
                if (officer or known) and (same := self._same(person, scope, states)):
                    self.store.change(same)
                    self.store.step(same, now, who(officer) if officer else "person", "came again", channel)
                    if known and self.store.row(same)["state"] == "unproved":
                        return self._proved(same, known)
                    return self.get(same)
                if state == "unproved" and not officer and not known:
                    self._room()
                # Whoever asks over the network is asked to prove it in the answer (EDPB 01/2022, 157).
                paused = now if state == "unproved" and not officer else None
                database.execute(
                    "INSERT INTO request (id, site, asked, channel, zone, state, version, received, entered,"
                    " due, paused, stood, extended, method, assurance, tries, ground, person, scope, sealed)"
                    " VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, 0, 0, '', '', 0, '', ?, ?, ?)",
                    (id, site, right, channel, zone, state, came, now, self._due(zone, came), paused, person,
                     scope,
                     self.store.sealed(id, held)),
                )  # fmt: skip
                for other in about:
                    self.store.row(other)
                    database.execute("INSERT OR IGNORE INTO about VALUES (?, ?)", (id, other))
                self.store.step(id, now, who(officer) if officer else "person", "received", channel)
                return self._proved(id, known) if known else self.get(id)
        except Refused as error:
            if proof is not None and error.status in (400, 403):
                self._record_bad(error.code, None, proof)
            raise

    def _room(self) -> None:
        waiting = self.store.rows("SELECT count(*) AS n FROM request WHERE state = 'unproved'")[0]["n"]
        if waiting >= self.settings.most_unproved:
            raise Refused(503, "unavailable", "too many requests wait for proof; try again")

    def look(self, id: str, officer: str) -> Case:
        """As `get`, with what the person handed over: who saw it is recorded (Art. 5(2))."""
        with self.store.transaction():
            case = self.get(id)
            self.store.step(case.id, self.now(), who(officer), LOOKED)
        return case

    # What officers do. `version`: the one that they have seen; another is a change by somebody else.

    def refuse(
        self,
        id: str,
        ground: str,
        officer: str | None,
        note: str | None = None,
        *,
        until: date | None = None,
        version: int | None = None,
    ) -> Case:
        """Close it without doing it, for a reason from the list (M114). note: for the person, sealed. until:
        the last day on which the ground holds, of those in KEEPING (M119)."""
        one_of(ground, GROUNDS, "ground")
        now, outcome = self.now(), dict[str, Any]({"note": note} if note else {})
        if until is not None:
            if ground not in KEEPING:
                raise Refused(
                    400, "until", "only {keeping} keep something until a day", keeping=", ".join(KEEPING)
                )
            if until <= datetime.fromtimestamp(now / 1000, UTC).date():
                raise Refused(400, "until", "the day until which it is kept is to come")
            kept = {"what": "what you asked about", "ground": GROUNDS[ground], "until": until.isoformat()}
            outcome["retained"] = [kept]
        with self.store.transaction():
            self._open(id, version=version)
            self._hold(id, outcome=outcome or None)
            self.store.change(id, state="refused", ground=ground, closed=now, paused=None)
            self.store.step(id, now, who(officer), "refused", ground, note)
        return self.get(id)

    def pause(self, id: str, officer: str, why: str, *, version: int | None = None) -> Case:
        """The clock stands, because it was asked who asks (Art. 12(6)); proof lets it run again."""
        now = self.now()
        with self.store.transaction():
            if self._open(id, "unproved", version)["paused"] is not None:
                raise Refused(409, "paused", "its clock stands already")
            self.store.change(id, paused=now)
            self.store.step(id, now, who(officer), "paused", note=why)
        return self.get(id)

    def resume(self, id: str, officer: str, *, version: int | None = None) -> Case:
        """The clock runs again, though it is not proved who asks."""
        now = self.now()
        with self.store.transaction():
            if self._open(id, version=version)["paused"] is None:
                raise Refused(409, "running", "its clock runs")
            self._resume(id, now)
            self.store.step(id, now, who(officer), "resumed")
        return self.get(id)

    def extend(self, id: str, officer: str, why: str, *, version: int | None = None) -> Case:
        """Two months more, once; the person is told why before the first is over (GDPR Art. 12(3))."""
        now = self.now()
        if not why.strip():
            raise Refused(400, "reason", "say why: the person has to be told (GDPR Art. 12(3))")
        with self.store.transaction():
            row = self._open(id, version=version)
            if row["extended"]:
                raise Refused(409, "extended", "it was extended before, and can be only once")
            if row["paused"] is None and now >= row["due"]:
                raise Refused(409, "overdue", "the month is over: it can't be extended any more")
            due = self._due(row["zone"], row["received"], extended=True, stood=row["stood"])
            self._hold(id, outcome={"extended": why})
            self.store.change(id, extended=1, due=due)
            self.store.step(id, now, who(officer), "extended", note=why)
        return self.get(id)

    # Carrying out.

    def pending(self, rights: Sequence[str] = CARRIED) -> list[Case]:
        """What is proved and to be carried out: a child's first (S23), then as it came.

        What was proved longer ago than its proof holds is not: an officer has to look at it.
        """
        marks, now = ", ".join("?" * len(rights)), self.now()
        found = self.store.cases(
            f"WHERE state = 'verified' AND asked IN ({marks}) AND coalesce(until, ?) >= ?"
            " ORDER BY received, id",
            *rights, now, now,
        )  # fmt: skip
        return sorted(found, key=lambda case: not case.child)

    def keep(self, id: str, outcome: Mapping[str, Any]) -> None:
        """Note what is known of its outcome while it is carried out; `finish` may say more. Sealed."""
        with self.store.transaction():
            self._open(id, "verified")
            self._hold(id, outcome=dict(outcome))

    def finish(
        self,
        id: str,
        outcome: Mapping[str, Any],
        answer: bytes | None = None,
        *,
        media: str = "application/json",
        by: str = "pipeline",
    ) -> Case:
        """It is carried out. outcome: what was done, and `retained`: [{what, ground, until}] (M119).

        answer: what the person may fetch; sealed. A second time changes nothing, so that a job may be done
        again.
        """
        now = self.now()
        with self.store.transaction() as database:
            if self.store.row(id)["state"] == "done":
                return self.get(id)
            self._open(id, "verified")
            self._hold(id, outcome=dict(outcome))
            if answer is not None:
                sealed = self.store.vault.seal(answer, f"answer {id}")
                database.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", (id, media, sealed))
            child = self.get(id).child and self.get(id).right in ("guardian", "erase")
            self.store.change(id, state="done", closed=now, paused=None, child=child)
            self.store.step(id, now, by, "done")
        return self.get(id)

    def close_by_hand(
        self, id: str, officer: str, note: str, answer: bytes | None = None, *, version: int | None = None
    ) -> Case:
        """An officer has answered it: a complaint, or what no job does. note: for the person."""
        if not note.strip():
            raise Refused(400, "note", "say what was done: the person is told")
        with self.store.transaction():
            self._open(id, "verified", version)
            return self.finish(id, {"note": note}, answer, by=who(officer))

    def answers(self, id: str) -> bool:
        """Whether there is an answer to fetch."""
        return bool(self.store.rows("SELECT 1 FROM answer WHERE request = ?", self.get(id).id))

    def answer(self, id: str) -> tuple[str, bytes] | None:
        """Media type and bytes of the answer; None where there is none, or it has been emptied."""
        id = self.get(id).id
        for row in self.store.rows("SELECT media, sealed FROM answer WHERE request = ?", id):
            return row["media"], self.store.vault.open(row["sealed"], f"answer {id}")
        return None

    # What goes on by itself.

    def tidy(self) -> dict[str, int]:
        """Close what was never proved, empty what is answered, forget what is old; how many of each."""
        return tidy(self.store, self.settings, self.now())

    def statistics(self, of: str) -> dict[str, Any]:
        """One month, "2026-11", in numbers (M117)."""
        return month(self.store, of)

"""What is over: requests that nobody proved are closed; what a person handed over is emptied; records end."""

from __future__ import annotations

from consent_filter import chain
from consent_filter.rights.settings import Rights
from consent_filter.rights.store import Store

_DAY = 86_400_000


def tidy(store: Store, settings: Rights, now: int) -> dict[str, int]:
    """Close, empty, forget; how many of each. Closed is only what was asked to be proved: whose clock stands.

    Emptied: what a person wrote, who they are, evidence and answer; the number, right, dates, outcome and
    ground stay, and what officers did. Who it was is kept as a keyed hash while it counts for the limit.
    """
    with store.transaction() as database:
        late = now - settings.prove_days * _DAY
        unproved = store.rows("SELECT id FROM request WHERE state = 'unproved' AND paused < ?", late)
        for row in unproved:
            store.change(row["id"], state="refused", ground="identity", closed=now, paused=None)
            store.step(row["id"], now, "throng", "refused", "identity")
        lapsed = store.rows("SELECT id FROM request WHERE state = 'verified' AND until < ?", now)
        for row in lapsed:  # its clock goes on: that we took too long is not the person's doing
            store.change(row["id"], state="unproved", method="", assurance="", until=None, entered=now)
            store.step(row["id"], now, "throng", "proof lapsed")
        over = now - settings.answer_days * _DAY
        closed = store.rows("SELECT id FROM request WHERE closed < ? AND emptied IS NULL", over)
        for row in closed:
            id = row["id"]
            for table in ("note", "answer", "secret", "code"):
                database.execute(f"DELETE FROM {table} WHERE request = ?", (id,))
            database.execute("UPDATE request SET sealed = NULL, emptied = ? WHERE id = ?", (now, id))
            store.step(id, now, "throng", "emptied")
        counted = now - max(settings.answer_days, settings.limit_days) * _DAY
        database.execute(
            "UPDATE request SET person = NULL, scope = NULL WHERE closed < ? AND person IS NOT NULL",
            (counted,),
        )
        ended = now - settings.keep_days * _DAY
        old = store.rows("SELECT id FROM request WHERE closed < ? AND emptied IS NOT NULL", ended)
        for row in old:
            chain.forget(database, row["id"].encode())
            database.execute("DELETE FROM about WHERE request = ? OR other = ?", (row["id"], row["id"]))
            database.execute("DELETE FROM request WHERE id = ?", (row["id"],))
    return {"unproved": len(unproved), "lapsed": len(lapsed), "emptied": len(closed), "forgotten": len(old)}

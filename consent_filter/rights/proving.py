"""Taking proofs of who asks, and giving out codes and secrets."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple

from consent_filter.errors import Refused
from consent_filter.rights.case import REMEDY, Case
from consent_filter.rights.docket import DAY, Docket, who
from consent_filter.rights.proof import (
    HOLDS,
    UNGUESSABLE,
    Code,
    Device,
    Judgement,
    Proof,
    Token,
    enough,
    ways,
)

#: Tries of proof that one request allows; codes that one person is sent in a day; hours that one lives.
TRIES, CODES, CODE_HOURS = 8, 5, 24
#: Letters of numbers and codes: none that is taken for another (Crockford).
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class _Known(NamedTuple):
    """Who asks is known: how, how surely, by whom, until when; the address on file, if the site says it."""

    method: str
    assurance: str
    who: str
    until: int
    note: str | None = None
    email: str | None = None


def letters(n: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(n))


class Proving(Docket):
    """Who asks (M115)."""

    def secret(self, id: str, *, answer: bool = False) -> str:
        """A new secret that shows where the request stands; `answer`: which opens the answer, too.

        Only whoever has proved who they are may be given the latter: the one who asked may be somebody else.
        """
        made = secrets.token_urlsafe(24)
        with self.store.transaction() as database:
            id = self.get(id).id
            database.execute("INSERT INTO secret VALUES (?, ?, ?)", (_hash(made), id, answer))
        return made

    def opened(self, id: str, secret: str, *, answer: bool = False) -> Case:
        """The request that this secret shows. Raises Refused, the same for all that does not open."""
        found = self.store.rows("SELECT request, answer FROM secret WHERE hash = ?", _hash(secret))
        if found and (not answer or found[0]["answer"]) and self._names(id, found[0]["request"]):
            return self.get(id)
        raise Refused(404, "no_such_request", "there is no such request, or this secret does not open it")

    def _names(self, id: str, other: str) -> bool:
        rows = self.store.rows(
            "SELECT id FROM request WHERE id = ? AND (id = ? OR joined = ?)", id, other, other
        )
        return bool(rows) or other == id

    def code(self, id: str) -> str:
        """A new code for the address on file, in place of an older one; only its keyed hash is kept.

        Whoever calls sends it there (`Case.vouched`), and nowhere else. Raises Refused (rate) where one
        person has had CODES within a day: nobody's mailbox is to be filled by others.
        """
        now, made = self.now(), letters(10)
        with self.store.transaction() as database:
            row = self._open(id, "unproved")
            if "code" not in ways(row["asked"], "user", mailed=True):
                raise Refused(403, "way", "for this right only an officer can find out who asks")
            sent = self.store.rows(
                "SELECT count(*) AS n FROM code JOIN request ON id = request WHERE person = ? AND made > ?",
                row["person"],
                now - DAY,
            )
            if sent[0]["n"] >= CODES:
                raise Refused(429, "rate", "too many codes were asked for: try again tomorrow")
            database.execute("UPDATE code SET used = ? WHERE request = ? AND used IS NULL", (now, id))
            database.execute(
                "INSERT INTO code (request, hash, made) VALUES (?, ?, ?)", (id, self._code(id, made), now)
            )
            self.store.step(id, now, "throng", "code made")
        return made

    def vouch(self, id: str, email: str, officer: str, *, version: int | None = None) -> Case:
        """The officer knows that this is the address on file: codes may be sent there."""
        with self.store.transaction():
            self._open(id, version=version)
            self._hold(id, email=email, vouched=True)
            self.store.change(id)
            self.store.step(id, self.now(), who(officer), "address confirmed")
        return self.get(id)

    def prove(self, id: str, proof: Proof, *, version: int | None = None) -> Case:
        """Take a proof of who asks; from then on the request is to be carried out.

        The request as it stands then, which is another one where the same was proved before: then this number
        is one more name of that. Raises Refused for what proves nothing, which is recorded; after TRIES of
        them only an officer can.
        """
        try:
            with self.store.transaction():
                row = self._open(id, "unproved", version)
                if not isinstance(proof, Judgement) and row["tries"] >= TRIES:
                    raise Refused(429, "attempts", "too many attempts: an officer has to find out who asks")
                known = self._known(self.store.case(row), proof)
                return self._proved(id, known)
        except Refused as error:
            if error.status in (400, 403):
                self._record_bad(error.code, id, proof)
            raise

    def _record_bad(self, code: str, id: str | None, proof: Proof) -> None:
        now = self.now()
        month = datetime.fromtimestamp(now // 1000, UTC).strftime("%Y-%m")
        with self.store.transaction() as database:
            database.execute(
                "INSERT INTO bad_proof VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1", (month, code)
            )
            if id is not None:
                said = who(proof.officer) if isinstance(proof, Judgement) else "somebody"
                self.store.step(id, now, said, "proof refused", code)
                database.execute("UPDATE request SET tries = tries + 1 WHERE id = ?", (id,))

    def _known(self, case: Case, proof: Proof) -> _Known:
        """Raises Refused for what proves nothing. Part of the caller's transaction."""
        now = self.now()
        until = now + HOLDS * DAY
        match proof:
            case Token():
                said = self.keys.read(proof.text, case.site, now)
                whose = said.device_id if case.kind == "device" else said.user_id
                if whose is None or whose != case.subject:
                    raise Refused(403, "token_subject", "the token is about somebody else's data")
                if said.right != case.right:
                    raise Refused(403, "token_right", "the token is for another right")
                if said.request not in (None, case.id):
                    raise Refused(403, "token_request", "the token is for another request")
                self.keys.use(said, now)
                known = _Known("token", "substantial", "site", until, email=said.email)
            case Code():
                self._use_code(case.id, proof.text, now)
                known = _Known("code", "substantial", "person", until)
            case Device():
                if case.kind != "device" or proof.id != case.subject or len(proof.id) < UNGUESSABLE:
                    raise Refused(403, "device", "this is not the id of the browser that it is about")
                known = _Known("device", "low", "person", until)
            case Judgement():
                note = f"{proof.method}: {proof.note}"
                until = now + proof.days * DAY
                known = _Known("judgement", proof.assurance, who(proof.officer), until, note)
        if known.method not in ways(case.right, case.kind, mailed=True):
            raise Refused(403, "way", "for this right only an officer can find out who asks")
        if not enough(case.right, case.kind, known.assurance):
            raise Refused(403, "assurance", "for this right that is not sure enough")
        return known

    def _proved(self, id: str, known: _Known) -> Case:
        """Part of the caller's transaction."""
        now = self.now()
        self.store.step(id, now, known.who, "proved", f"{known.method}, {known.assurance}", known.note)
        row = self.store.row(id)
        if same := self._same(row["person"], row["scope"], ("verified",), but=id):
            self.store.change(id, state="joined", joined=same, closed=now, paused=None, sealed=None)
            self.store.step(id, now, "throng", "joined", same)
            self.store.step(same, now, "throng", "came again", id)
            self.store.change(same)
            return self.get(same)
        if known.email:
            self._hold(id, email=known.email, vouched=True)
        self._resume(id, now)
        self.store.change(
            id,
            state="verified",
            method=known.method,
            assurance=known.assurance,
            proved=now,
            until=known.until,
        )
        if self._too_often(row, now):
            self.store.change(id, state="refused", ground="repetitive", closed=now)
            self.store.step(id, now, "throng", "refused", "repetitive", REMEDY)
        return self.get(id)

    def _use_code(self, id: str, text: str, now: int) -> None:
        found = self.store.rows("SELECT seq, hash, made FROM code WHERE request = ? AND used IS NULL", id)
        text = text.upper().replace("-", "").replace(" ", "")
        if not found or found[0]["made"] + CODE_HOURS * 3_600_000 <= now:
            raise Refused(403, "code_expired", "this code has expired, was used, or a newer one was sent")
        if not secrets.compare_digest(found[0]["hash"], self._code(id, text)):
            raise Refused(403, "code", "this is not the code that was sent")
        self.store.database.execute("UPDATE code SET used = ? WHERE seq = ?", (now, found[0]["seq"]))

    def _code(self, id: str, code: str) -> bytes:
        return self.store.vault.hash("code", f"{id} {code}".encode("utf-8", "surrogatepass"))


def _hash(secret: str) -> bytes:
    # Nobody tries 192 random bits: a hash without a key does.
    return blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=32, person=b"rights secret").digest()

"""The ledger: the latest word stands, what is written is durable, the chain holds and can forget."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter import chain
from consent_filter.circumstances import Circumstances
from consent_filter.decide import AD_MEASUREMENT, MEASUREMENT, NO_WORD, Word
from consent_filter.errors import Broken, Refused
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import BY_NAME
from consent_filter.read import withdrawn
from tests.consent_filter.rows import NOON, Row, batch

WHO = ("eu", "device", "canary-device-7")
VISIT, ADVERT = (MEASUREMENT, *WHO), (AD_MEASUREMENT, *WHO)


@pytest.fixture
def keys() -> Keyring:
    return Keyring.memory()


@pytest.fixture
def ledger(keys: Keyring) -> Ledger:
    return Ledger.memory(keys)


def word(ledger: Ledger, **row: Any) -> Word:
    return ledger.words(batch([Row(**row)])).rows()[0]


def numbers(*persons: bytes) -> list[int]:
    return sorted(int.from_bytes(person, "little") for person in persons)


def test_nobody_has_said_anything_at_first(ledger: Ledger) -> None:
    assert ledger.get(*WHO) is None
    assert word(ledger, device_id=WHO[2]) == NO_WORD
    assert ledger.withdrawn().tolist() == []
    assert ledger.verify()


choices = st.dictionaries(st.sampled_from(sorted(BY_NAME)), st.booleans(), max_size=4)


@pytest.mark.requirement("M72")
@given(st.lists(choices, max_size=6))
def test_the_latest_word_on_each_purpose_stands(said: list[dict[str, bool]]) -> None:
    ledger = Ledger.memory(Keyring.memory())
    standing: dict[str, bool] = {}
    for i, choice in enumerate(said):
        entry = ledger.put(*WHO, choice, "site", NOON + i)
        standing |= choice
        found = word(ledger, device_id=WHO[2], time=NOON + i)
        assert found == Word(
            sum(BY_NAME[name] for name, yes in standing.items() if yes),
            sum(BY_NAME[name] for name, yes in standing.items() if not yes),
        )
        assert (entry.grant, entry.deny, entry.since) == (found.grant, found.deny, NOON + i)
        assert ledger.get(*WHO) == entry
    assert ledger.verify()


@given(
    st.lists(
        st.tuples(
            st.integers(1, 50),
            st.dictionaries(st.sampled_from(["measurement", "research"]), st.booleans()) | st.just("erase"),
        ),
        max_size=8,
    ),
    st.lists(st.integers(-10, 300), min_size=1, max_size=6),
)
def test_an_event_is_judged_by_what_was_in_force_and_by_every_refusal_since(
    said: list[tuple[int, Any]], times: list[int]
) -> None:
    """By hand: what had been agreed to by then, less what had been refused by then or is refused now."""
    with TemporaryDirectory() as folder:
        keys = Keyring.memory()
        ledger, now = Ledger.open(Path(folder) / "ledger.sqlite", keys), NOON
        history: list[tuple[int, dict[str, bool] | None]] = []
        for later, choice in said:
            now += later
            if choice == "erase":
                ledger.erase(*WHO, "site", now)
                history.append((now, None))
            else:
                ledger.put(*WHO, choice, "site", now)
                history.append((now, choice))
        again = Ledger.open(Path(folder) / "ledger.sqlite", keys, read_only=True)
        rows = [Row(device_id=WHO[2], time=NOON + time) for time in times]
        expected = [by_hand(history, NOON + time) for time in times]
        assert ledger.words(batch(rows)).rows() == expected
        assert again.words(batch(rows)).rows() == expected
        again.close()
        ledger.close()


def test_what_was_refused_when_it_happened_stays_refused_though_it_was_agreed_to_since(
    ledger: Ledger,
) -> None:
    ledger.put(*WHO, {"measurement": False}, "site", NOON)
    ledger.put(*WHO, {"measurement": True}, "site", NOON + 100)
    assert word(ledger, device_id=WHO[2], time=NOON - 1) == NO_WORD
    assert word(ledger, device_id=WHO[2], time=NOON + 50) == Word(0, 1)
    assert word(ledger, device_id=WHO[2], time=NOON + 100) == Word(1, 0)


def by_hand(history: list[tuple[int, dict[str, bool] | None]], time: int) -> Word:
    if history and history[-1][1] is None:
        return Word(0, 0, True)
    begun = max((i + 1 for i, (_, choice) in enumerate(history) if choice is None), default=0)
    then: dict[str, bool] = {}
    now: dict[str, bool] = {}
    for moment, choice in history[begun:]:
        assert choice is not None
        now |= choice
        if moment <= time:
            then |= choice
    refused = {name for name, yes in [*then.items(), *now.items()] if not yes}
    if not history[begun:] or time >= history[-1][0]:
        refused = {name for name, yes in now.items() if not yes}
    granted = {name for name, yes in then.items() if yes} - refused
    return Word(sum(int(BY_NAME[n]) for n in granted), sum(int(BY_NAME[n]) for n in refused))


def test_the_latest_word_is_the_last_that_came_also_where_the_clock_stepped_back(ledger: Ledger) -> None:
    ledger.put(*WHO, {"measurement": True}, "site", NOON)
    ledger.put(*WHO, {"measurement": False}, "site", NOON - 3_600_000)
    assert word(ledger, device_id=WHO[2]) == Word(0, 1)


def test_either_id_speaks_and_a_refusal_of_one_is_a_refusal_of_both(ledger: Ledger) -> None:
    ledger.put("eu", "user", "u", {"measurement": True, "research": True}, "site", NOON)
    ledger.put("eu", "device", "d", {"measurement": False, "remarketing": True}, "site", NOON)
    measurement, research, remarketing = (int(BY_NAME[n]) for n in ("measurement", "research", "remarketing"))
    assert word(ledger, user_id="u") == Word(measurement | research, 0)
    assert word(ledger, device_id="d") == Word(remarketing, measurement)
    assert word(ledger, user_id="u", device_id="d") == Word(research | remarketing, measurement)
    assert word(ledger, user_id="u", device_id="other") == Word(measurement | research, 0)
    assert word(ledger, user_id="other", device_id="d") == Word(remarketing, measurement)
    # Another kind of id, another site: another person.
    assert word(ledger, user_id="d") == word(ledger, device_id="u") == NO_WORD
    assert word(ledger, site="us", user_id="u") == NO_WORD


def test_a_record_says_how_the_choice_came_about(tmp_path: Path, keys: Keyring) -> None:
    file = tmp_path / "ledger.sqlite"
    ledger = Ledger.open(file, keys)
    how = Circumstances(surface="panel", locale="de-CH", wording="banner/3", policy="p/1", jurisdiction="CH")
    entry, said, link = ledger.record(*WHO, {"measurement": True, "research": False}, "site", NOON, how)
    assert entry == ledger.get(*WHO)
    database = sqlite3.connect(file)
    rows = database.execute(
        "SELECT seq, commitment, key, text FROM chain JOIN content USING (seq)"
    ).fetchall()
    database.close()
    [(position, commitment, key, text)] = rows
    assert (link.position, link.commitment) == (position, commitment)
    assert said == json.loads(text)
    assert said == {
        "site": "eu", "granted": ["measurement"], "denied": ["research"], "source": "site", "at": NOON,
        "surface": "panel", "locale": "de-CH", "wording": "banner/3", "policy": "p/1", "jurisdiction": "CH",
    }  # fmt: skip
    # What is handed out of the person is another value in each record, and none that is stored.
    again = ledger.record(*WHO, {"measurement": True}, "site", NOON, how).link
    assert len({link.subject, again.subject, key}) == 3
    ledger.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert link.subject not in stored
    assert link.commitment in stored


def test_a_ledger_of_before_is_read_and_goes_on(tmp_path: Path, keys: Keyring) -> None:
    """Records say more than they once did; the chain is counted here by hand, as it always was."""
    file, key, link = tmp_path / "ledger.sqlite", b"k" * 16, b"\0" * 32
    database = sqlite3.connect(file)
    database.executescript(
        "CREATE TABLE salt (seq INTEGER PRIMARY KEY, key BLOB NOT NULL, purpose INTEGER NOT NULL,"
        " salt BLOB NOT NULL);"
        "CREATE TABLE choice (key BLOB PRIMARY KEY, granted INTEGER NOT NULL, denied INTEGER NOT NULL,"
        " erased INTEGER NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE withdrawn (person INTEGER PRIMARY KEY, since INTEGER NOT NULL);"
        "CREATE TABLE chain (seq INTEGER PRIMARY KEY, commitment BLOB NOT NULL, link BLOB NOT NULL);"
        "CREATE TABLE content (seq INTEGER PRIMARY KEY, key BLOB NOT NULL, nonce BLOB NOT NULL,"
        " text TEXT NOT NULL);"
    )
    for seq in (1, 2):
        text, nonce = f'{{"granted": ["research"], "denied": [], "source": "site", "at": {seq}}}', bytes(16)
        commitment = blake2b(nonce + key + text.encode(), digest_size=32).digest()
        link = blake2b(link + commitment, digest_size=32).digest()
        database.execute("INSERT INTO chain VALUES (?, ?, ?)", (seq, commitment, link))
        database.execute("INSERT INTO content VALUES (?, ?, ?, ?)", (seq, key, nonce, text))
    database.execute("INSERT INTO choice VALUES (?, 2, 0, 0, 2)", (key,))
    database.commit()
    database.close()
    ledger = Ledger.open(file, keys)
    assert ledger.verify()
    assert ledger.record(*WHO, {"research": True}, "site", NOON).link.position == 3
    assert ledger.verify()
    found = ledger.find(2)
    assert found is not None
    assert (found.commitment, found.text) == (commitment, text)
    assert ledger.find(4) is None
    ledger.close()


def test_what_is_no_choice_is_refused_and_changes_nothing(ledger: Ledger) -> None:
    with pytest.raises(Refused) as refused:
        ledger.put(*WHO, {"measurement": "perhaps"}, "site", NOON)
    assert refused.value.status == 400
    assert ledger.get(*WHO) is None


@pytest.mark.requirement("M23")
def test_a_pseudonym_lasts_and_differs_by_purpose_kind_and_site(ledger: Ledger) -> None:
    others = [ADVERT, (MEASUREMENT, "eu", "user", WHO[2]), (MEASUREMENT, "us", "device", WHO[2])]
    found = ledger.persons([VISIT, *others, VISIT])
    assert found[0] == found[-1]
    assert len(set(found)) == 4
    assert ledger.persons([VISIT]) == found[:1]


def test_refusing_withdraws_the_pseudonym_and_a_new_one_does_not_join_it(ledger: Ledger) -> None:
    first, advert = ledger.persons([VISIT, ADVERT])
    ledger.put(*WHO, {"measurement": False}, "site", NOON)
    assert ledger.withdrawn().tolist() == numbers(first)
    ledger.put(*WHO, {"measurement": True}, "site", NOON)
    second = ledger.persons([VISIT])[0]
    assert second != first
    assert ledger.persons([ADVERT])[0] == advert
    ledger.put(*WHO, {"measurement": False, "ad_measurement": False}, "site", NOON)
    assert ledger.withdrawn().tolist() == numbers(first, second, advert)
    # Agreeing again does not bring back what was withdrawn.
    ledger.put(*WHO, {"measurement": True}, "site", NOON)
    assert ledger.withdrawn().tolist() == numbers(first, second, advert)


def test_refusing_something_else_leaves_the_pseudonym(ledger: Ledger) -> None:
    before = ledger.persons([VISIT])
    ledger.put(*WHO, {"remarketing": False}, "site", NOON)
    assert ledger.persons([VISIT]) == before
    assert ledger.withdrawn().tolist() == []


def test_salts_are_durable_after_flush_and_only_then(tmp_path: Path, keys: Keyring) -> None:
    file = tmp_path / "new" / "ledger.sqlite"
    ledger = Ledger.open(file, keys)
    assert file.stat().st_mode & 0o777 == 0o600
    kept = ledger.persons([VISIT, (MEASUREMENT, "eu", "device", "other")])
    ledger.flush()
    ledger.flush()  # nothing new: nothing to do
    ledger.put(*WHO, {"research": True}, "site", NOON)
    lost = ledger.persons([ADVERT])
    again = Ledger.open(file, keys)
    assert again.persons([VISIT, (MEASUREMENT, "eu", "device", "other")]) == kept
    assert again.persons([ADVERT]) != lost
    assert again.get(*WHO) == ledger.get(*WHO)
    assert again.verify()
    ledger.close()
    again.close()


def test_a_person_who_refuses_before_the_salt_was_written_is_forgotten_all_the_same(
    tmp_path: Path, keys: Keyring
) -> None:
    ledger = Ledger.open(tmp_path / "ledger.sqlite", keys)
    person = ledger.persons([VISIT])[0]
    ledger.put(*WHO, {"measurement": False}, "site", NOON)
    ledger.flush()
    ledger.close()
    again = Ledger.open(tmp_path / "ledger.sqlite", keys, read_only=True)
    assert again.withdrawn().tolist() == numbers(person)
    with pytest.raises(Broken, match="only the collector"):
        again.persons([VISIT])
    again.close()


def test_a_pseudonym_that_is_made_while_its_refusal_is_written_is_not_stored(
    tmp_path: Path, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by a run of faults: the refusal had looked for it before, and nothing took it back after."""
    ledger = Ledger.open(tmp_path / "ledger.sqlite", keys)
    ledger.put(*WHO, {"measurement": True}, "site", NOON)
    made, add = [], chain.add

    def meanwhile(*said: Any) -> chain.Link:
        made.extend(ledger.persons([VISIT, (MEASUREMENT, "eu", "device", "other")]))
        return add(*said)

    with monkeypatch.context() as patched:
        patched.setattr(chain, "add", meanwhile)
        ledger.put(*WHO, {"measurement": False}, "site", NOON + 1)
    assert len(made) == 2
    assert not ledger.flush(), "what was decided by is over"
    assert ledger.flush(), "the other one is let be"
    keys_of = ledger._database.execute("SELECT key FROM salt").fetchall()
    assert keys_of == [(ledger.key("eu", "device", "other"),)]
    ledger.close()


def test_erasing_leaves_nothing_but_the_hash_and_the_chain_still_holds(tmp_path: Path, keys: Keyring) -> None:
    file = tmp_path / "ledger.sqlite"
    ledger = Ledger.open(file, keys)
    ledger.put("eu", "device", "somebody else", {"research": True}, "site", NOON)
    ledger.put(*WHO, {"measurement": True, "research": True}, "canary-source", NOON)
    visit, advert = ledger.persons([VISIT, ADVERT])
    ledger.flush()
    salts = [salt for (salt,) in sqlite3.connect(file).execute("SELECT salt FROM salt")]
    assert len(salts) == 2
    ledger.erase(*WHO, "console", NOON)
    assert ledger.withdrawn().tolist() == numbers(visit, advert)
    assert ledger.verify()
    assert ledger.get(*WHO) is None
    assert word(ledger, device_id=WHO[2]) == Word(0, 0, True)
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for trace in (*salts, b"canary-source", WHO[2].encode()):
        assert trace not in left
    # What comes late is refused also after a restart; a new choice of a living person lifts it.
    ledger.close()
    ledger = Ledger.open(file, keys)
    assert word(ledger, device_id=WHO[2]) == Word(0, 0, True)
    ledger.put(*WHO, {"measurement": True}, "site", NOON)
    assert word(ledger, device_id=WHO[2]) == Word(1, 0)
    assert ledger.verify()
    ledger.close()


def test_no_id_is_ever_on_the_disk(tmp_path: Path, keys: Keyring) -> None:
    ledger = Ledger.open(tmp_path / "ledger.sqlite", keys)
    ledger.put(*WHO, {"measurement": True}, "site", NOON)
    ledger.persons([VISIT])
    ledger.flush()
    assert WHO[2].encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    ledger.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE content SET text = replace(text, 'granted', 'denied') WHERE seq = 2",
        "UPDATE content SET key = x'00' WHERE seq = 2",
        "UPDATE chain SET commitment = x'00' WHERE seq = 2",
        "UPDATE chain SET link = x'00' WHERE seq = 3",
        "DELETE FROM chain WHERE seq = 2",
        "DELETE FROM chain WHERE seq = 1",
        "UPDATE chain SET seq = 9 WHERE seq = 3",
    ],
)
def test_a_chain_that_was_changed_does_not_verify(tmp_path: Path, keys: Keyring, change: str) -> None:
    file = tmp_path / "ledger.sqlite"
    ledger = Ledger.open(file, keys)
    for i in range(3):
        ledger.put("eu", "device", f"d{i}", {"measurement": True}, "site", NOON)
    ledger.close()
    database = sqlite3.connect(file)
    database.execute(change)
    database.commit()
    database.close()
    changed = Ledger.open(file, read_only=True)
    assert not changed.verify()
    changed.close()


def test_a_reader_sees_what_was_written_and_writes_nothing(tmp_path: Path, keys: Keyring) -> None:
    file = tmp_path / "ledger.sqlite"
    assert Ledger.open(file, keys, read_only=True).get(*WHO) is None
    assert withdrawn(file).tolist() == []
    assert list(tmp_path.iterdir()) == []
    sqlite3.connect(file).close()  # made, and not yet filled
    assert Ledger.open(file, keys, read_only=True).get(*WHO) is None
    ledger = Ledger.open(file, keys)
    person = ledger.persons([VISIT])[0]
    ledger.put(*WHO, {"measurement": False}, "site", NOON)
    assert withdrawn(file).tolist() == numbers(person)
    reader = Ledger.open(file, keys, read_only=True)
    assert reader.get(*WHO) == ledger.get(*WHO)
    assert reader.verify()
    with pytest.raises(OSError, match="cannot be written"):
        reader.put(*WHO, {"measurement": True}, "site", NOON)
    reader.close()
    ledger.close()
    assert withdrawn(file).tolist() == numbers(person)  # with no log beside it


def test_without_keys_no_id_is_looked_up(tmp_path: Path, keys: Keyring) -> None:
    Ledger.open(tmp_path / "ledger.sqlite", keys).close()
    ledger = Ledger.open(tmp_path / "ledger.sqlite", read_only=True)
    assert ledger.verify()
    with pytest.raises(Broken, match="without keys"):
        ledger.get(*WHO)
    ledger.close()


def test_a_disk_that_fails_is_an_oserror_and_nothing_has_changed(tmp_path: Path, keys: Keyring) -> None:
    file = tmp_path / "ledger.sqlite"
    ledger = Ledger.open(file, keys)
    ledger.put(*WHO, {"measurement": True}, "site", NOON)
    person = ledger.persons([VISIT])
    ledger.flush()
    pages = ledger._database.execute("PRAGMA page_count").fetchone()[0]
    ledger._database.execute(f"PRAGMA max_page_count = {pages}")  # full, as a disk would be
    new = [(MEASUREMENT, "eu", "device", f"new-{i}") for i in range(1000)]
    theirs = ledger.persons(new)
    with pytest.raises(OSError, match="full"):
        ledger.flush()
    with pytest.raises(OSError, match="full"):
        ledger.put(*WHO, {"measurement": False}, "x" * 1_000_000, NOON)
    assert ledger.persons([VISIT]) == person
    assert ledger.withdrawn().tolist() == []
    assert ledger.verify()
    ledger._database.execute("PRAGMA max_page_count = 1000000")
    ledger.flush()
    standing, persons = ledger.get(*WHO), ledger.persons([VISIT])
    assert ledger.persons(new) == theirs
    ledger.close()
    again = Ledger.open(file, keys)
    assert again.get(*WHO) == standing
    assert again.persons(new) == theirs
    assert again.persons([VISIT]) == persons == person
    again.close()


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    """A choice whose `put` has returned, and a salt whose `flush` has, are there after kill -9."""
    code = """
import sys; from pathlib import Path
from consent_filter.ledger import Ledger; from consent_filter.pseudonym import Keyring
here = Path(sys.argv[1]); ledger = Ledger.open(here / "ledger.sqlite", Keyring.open(here / "keys.json"))
for i in range(10**6):
    ledger.put("eu", "device", f"d{i}", {"measurement": True}, "site", i + 1)
    person = ledger.persons([(1, "eu", "device", f"d{i}")])[0]; ledger.flush()
    print(i, person.hex(), flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = [child.stdout.readline() for _ in range(50)]
    os.kill(child.pid, signal.SIGKILL)
    said += child.stdout.readlines()
    child.wait()
    child.stdout.close()
    ledger = Ledger.open(tmp_path / "ledger.sqlite", Keyring.open(tmp_path / "keys.json"))
    whole = [line.split() for line in said if line.endswith("\n")]
    for i, person in whole:
        entry = ledger.get("eu", "device", f"d{i}")
        assert entry is not None
        assert entry.grant == 1
        assert ledger.persons([(MEASUREMENT, "eu", "device", f"d{i}")])[0].hex() == person
    assert len(whole) >= 50
    assert ledger.verify()
    ledger.close()


def test_threads_may_speak_at_once(tmp_path: Path, keys: Keyring) -> None:
    """The collector's loop asks for pseudonyms while other threads flush and put."""
    ledger = Ledger.open(tmp_path / "ledger.sqlite", keys)
    found: list[list[bytes]] = []

    def ask(start: int) -> None:
        for i in range(start, start + 50):
            ids = [(MEASUREMENT, "eu", "device", f"d{i % 60}"), (AD_MEASUREMENT, "eu", "user", f"u{i}")]
            found.append(ledger.persons(ids))
            ledger.flush()

    def say() -> None:
        for i in range(30):
            ledger.put("eu", "user", f"u{i}", {"measurement": i % 2 == 0}, "site", NOON)

    threads = [threading.Thread(target=ask, args=(start,)) for start in (0, 30, 60)]
    threads.append(threading.Thread(target=say))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 150
    assert len({one for pair in found for one in pair}) == 60 + 110
    ledger.close()
    again = Ledger.open(tmp_path / "ledger.sqlite", keys)
    assert again.verify()
    assert {*again.persons([(MEASUREMENT, "eu", "device", f"d{i}") for i in range(60)])} < {
        one for pair in found for one in pair
    }
    again.close()


def test_two_threads_that_meet_the_same_person_agree(ledger: Ledger) -> None:
    """Both have seen that there is no salt yet; the second must not make another."""
    key = ledger.key(*WHO)
    assert ledger._salt(MEASUREMENT, key) == ledger._salt(MEASUREMENT, key)


def test_what_is_remembered_of_ids_is_bounded(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consent_filter.known._REMEMBERED", 3)
    ids = [(MEASUREMENT, "eu", "device", str(i)) for i in range(10)]
    assert ledger.persons(ids) == ledger.persons(ids)
    assert len(ledger._seen) <= 3

"""`throng check` says what is wrong, and how to mend it, and that is how it is mended."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consent_filter.errors import Misconfigured
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.signing import Signer
from consent_filter.transport import Certificate
from tests import certificates
from tests.consent_filter.rights.desk import desk
from tests.ports import free_ports
from tests.throng.conftest import Said, Throng
from throng import check
from throng.settings import Settings, load


def well(said: Said) -> None:
    assert said.code == 0, said.out
    assert "WRONG" not in said.out
    assert said.out.endswith("all is well\n")


def wrong(said: Said, what: str, mend: str) -> None:
    """Exactly one thing is wrong: this."""
    assert said.code == 1
    assert said.out.count("WRONG") == 1, said.out
    assert re.search(rf"WRONG +{what}.*\n +to mend it: {mend}", said.out), said.out
    assert said.out.endswith("1 to mend\n")


def test_a_folder_that_is_not_there_yet_is_well(tmp_path: Path, throng: Throng) -> None:
    well(throng("check"))
    assert list(tmp_path.iterdir()) == [], "to look makes nothing"


def test_settings_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who changes them meanwhile is not told half of each."""
    read = list[Path]()

    def counted(data: Path) -> Settings:
        read.append(data)
        return load(data)

    monkeypatch.setattr(check, "load", counted)
    assert not [one for one in check.findings(tmp_path) if one.mend]
    assert read == [tmp_path]


def test_a_folder_in_use_is_well(tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "throng.toml").write_text('[[site]]\nid = "shop"\ntimezone = "Asia/Kolkata"\n')
    keys = Keyring.open(data / "keys.json")
    Ledger.open(data / "ledger.sqlite", keys).close()
    said = throng("check")
    well(said)
    assert "shop: workallies-2024" in said.out
    assert "Asia/Kolkata" in said.out
    assert "hash chain verifies" in said.out


@pytest.mark.parametrize(
    ("toml", "what"),
    [
        ("[ingest]\nprot = 1\n", "unknown field `prot`"),
        ("[ingest]\nport = 'x'\n", r"Expected `int`, got `str` - at `\$.ingest.port`"),
        ("[ingest\n", "line 1"),
        ('[[site]]\nid = "shop"\npack = "no-such-pack"\n', "no-such-pack"),
        ('[[site]]\nid = "shop"\ntimezone = "Mars/Olympus"\n', "Mars/Olympus"),
        ('[ingest]\nhost = "0.0.0.0"\n', "none declared, yet the collector binds 0.0.0.0"),
        ('[ingest]\ngeo = "nowhere.mmdb"\n', "nowhere.mmdb"),
    ],
)
def test_a_setting(toml: str, what: str, tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "throng.toml").write_text(toml)
    said = throng("check")
    wrong(said, f".*{what}", ".*throng.toml")
    (data / "throng.toml").write_text("")
    well(throng("check"))


@pytest.mark.parametrize("name", ["keys.json", "receipts.key"])
def test_keys_that_others_can_read(name: str, tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    data.mkdir()
    file = data / name
    Keyring.open(data / "keys.json")
    Signer(data / "receipts.key").key()
    well(throng("check"))
    file.chmod(0o644)
    said = throng("check")
    wrong(said, f"keys +{file} has mode 644", f"chmod 600 {file}")
    command = re.search(r"to mend it: (chmod .*)", said.out)
    assert command is not None
    subprocess.run(command[1], shell=True, check=True)
    well(throng("check"))


def test_a_key_of_receipts_that_is_damaged(tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    data.mkdir()
    file = data / "receipts.key"
    Signer(file).key()
    file.write_bytes(file.read_bytes()[:-40])
    wrong(throng("check"), f"keys +{file} is no key: no receipt can be signed", f"restore {file}")
    file.rename(data / "receipts.old")
    well(throng("check"))


def test_a_register_that_was_changed_outside_or_has_lost_its_key(tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with desk(data) as one:
        one.receive("access")
        well(throng("check"))
        one.register.store.database.execute("UPDATE content SET text = replace(text, 'person', 'nobody')")
    wrong(throng("check"), "requests +its hash chain does not verify", "the register was changed")
    (data / "rights.key").unlink()
    wrong(throng("check"), "requests +Broken: .*rights.key is gone", "see above")


def test_a_ledger_that_was_changed_outside(tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    data.mkdir()
    keys = Keyring.open(data / "keys.json")
    ledger = Ledger.open(data / "ledger.sqlite", keys)
    for number in range(3):
        ledger.put("shop", "device", f"d{number}", {"measurement": False}, "site", 1_000)
    ledger.close()
    well(throng("check"))
    con = sqlite3.connect(data / "ledger.sqlite")
    con.execute("DELETE FROM chain WHERE seq = 2")
    con.commit()
    con.close()
    wrong(throng("check"), "ledger +the hash chain does not verify", "the ledger was changed outside Throng")


@pytest.mark.parametrize(("days", "ahead"), [(0.0, False), (0.001, False), (2.0, True)])
def test_a_clock_that_is_behind(days: float, ahead: bool, tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    (data / "log").mkdir(parents=True)
    newest = data / "log" / "1.log"
    newest.write_text("x")
    later = time.time() + days * 86_400
    os.utime(newest, (later, later))
    said = throng("check")
    if ahead:
        wrong(said, r"clock +it is 172\d\d\d s behind the newest file here", r"set the clock \(NTP\)")
    else:
        well(said)


def test_files_that_go_while_it_looks(
    tmp_path: Path, throng: Throng, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running pipeline removes files all the time; that is no fault of the clock."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "1.parquet").write_text("x")
    is_file = Path.is_file

    def gone(self: Path) -> bool:
        there = is_file(self)
        if self.suffix == ".parquet":
            self.unlink()
        return there

    monkeypatch.setattr(Path, "is_file", gone)
    well(throng("check"))


@pytest.mark.needs("disk")
def test_a_folder_that_can_not_be_written(
    tmp_path: Path, throng: Throng, small_disk: Callable[[str], Path]
) -> None:
    data = small_disk("2g")
    well(throng("check", data=data))
    subprocess.run(["mount", "-o", "remount,ro", str(data)], check=True)
    wrong(throng("check", data=data), f"disk +{data} can't be written", f"chown or chmod {data}")


@pytest.mark.needs("disk")
def test_a_disk_that_is_nearly_full(throng: Throng, small_disk: Callable[[str], Path]) -> None:
    wrong(throng("check", data=small_disk("8m")), "disk +0.0 GiB free", "make room")


_TLS = '[ingest]\nhost = "0.0.0.0"\ncertificate = "tls.pem"\nkey = "tls.key"\n[[site]]\nid = "shop"\n'


@pytest.mark.requirement("M102")
@pytest.mark.parametrize(
    ("make", "what", "mend"),
    [
        ({}, "", ""),
        (
            {"days": 10},
            r"\S+/tls.pem lasts until \d{4}-\d\d-\d\d",
            "renew it; it is taken up without a restart",
        ),
        ({"begins": -91}, r"\S+/tls.pem has ended on \d{4}-\d\d-\d\d", "renew it: browsers refuse to come"),
        ({"begins": 1}, r"\S+/tls.pem begins on \d{4}-\d\d-\d\d", "set the clock, or use another"),
        ({"password": b"x"}, r"\S+/tls.key is no key without a password", "name the PEM file of the"),
        (
            {"name": "other"},
            r"\S+/tls.pem is no certificate that can be read\n.*\nWRONG .*tls.key cannot be read",
            "",
        ),
    ],
)
def test_a_certificate_that_is_not_good(
    make: dict[str, Any], what: str, mend: str, tmp_path: Path, throng: Throng
) -> None:
    data = tmp_path / "data"
    certificates.make(data, **make)
    (data / "throng.toml").write_text(_TLS)
    said = throng("check")
    if not make:
        well(said)
    elif not mend:
        assert re.search(f"WRONG +transport +{what}", said.out), said.out
    else:
        wrong(said, f"transport +{what}", mend)


@pytest.mark.requirement("M102")
def test_a_key_that_is_anothers_or_that_others_may_read(tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    certificates.make(data)
    certificates.make(data, "other")
    (data / "throng.toml").write_text(_TLS.replace("tls.key", "other.key"))
    wrong(throng("check"), r"transport +\S+/other.key is not the key of \S+/tls.pem", "name the one that")
    with pytest.raises(Misconfigured, match=r"other\.key is not the key of"):
        Certificate(data / "tls.pem", data / "other.key")
    (data / "throng.toml").write_text(_TLS)
    (data / "tls.key").chmod(0o640)
    wrong(throng("check"), r"transport +\S+/tls.key has mode 640", r"chmod 600 \S+/tls.key")


@pytest.mark.requirement("M102")
def test_a_collector_that_is_open_to_a_network_in_clear(tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    data.mkdir()
    site = '[[site]]\nid = "shop"\norigins = ["https://shop.example"]\n[ingest]\n'
    clear = "the collector listens in clear at 0.0.0.0"
    (data / "throng.toml").write_text(site + 'host = "0.0.0.0"\n')
    wrong(
        throng("check"), f"transport +{clear}, also for the pages of shop", "name a certificate and its key"
    )
    (data / "throng.toml").write_text(site + 'host = "0.0.0.0"\nhttps_only = "all"\n')
    wrong(throng("check"), f"transport +{clear}, and refuses everything", "name a certificate")
    (data / "throng.toml").write_text(site + 'host = "0.0.0.0"\ntrusted_proxies = ["10.0.0.0/8"]\n')
    well(throng("check"))


def test_a_secret_that_settings_name_and_nobody_has_put_there(tmp_path: Path, throng: Throng) -> None:
    """Planted: settings alone were looked at, and all was well without a password of brokers."""
    data = tmp_path / "data"
    data.mkdir()
    where = f'kind = "kafka"\nbootstrap = ["127.0.0.1:{free_ports(1)}"]\n'
    brokers = f'{where}username = "throng"\nsasl = "SCRAM-SHA-512"'
    (data / "throng.toml").write_text(f'[log]\n{brokers}\npassword_file = "kafka.password"\n')
    mend = r"put it there, or correct \[log\] password_file"
    said = throng("check").out  # nobody listens there, which is said, too
    assert re.search(rf"WRONG +transport +.*/kafka.password can't be read\n +to mend it: {mend}", said), said
    (data / "kafka.password").write_text("a-secret-of-tests")
    said = throng("check").out
    assert "WRONG transport" not in said
    assert "WRONG brokers   nobody listens at 127.0.0.1:" in said


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ('certificate = "a.pem"', "key"),
        ('key = "a.key"', "certificate"),
        ('https_only = "yes"', "https_only"),
        ("hsts_days = 1000", "hsts_days"),
        (
            'certificate = "a"\nkey = "b"\nproxy_protocol = true\ntrusted_proxies = ["10.0.0.0/8"]',
            "proxy_protocol",
        ),
    ],
)
def test_settings_of_the_way_in_that_do_not_fit(said: str, key: str, tmp_path: Path) -> None:
    (tmp_path / "throng.toml").write_text(f"[ingest]\n{said}\n")
    with pytest.raises(Misconfigured) as found:
        load(tmp_path)
    assert found.value.key == f"ingest.{key}"

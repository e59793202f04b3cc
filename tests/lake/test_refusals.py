"""What is wrong is said by the key to look at, and never with a secret in it; versions are refused."""

from __future__ import annotations

import os
import re
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from consent_filter.errors import Misconfigured, Refused
from consent_filter.fields import EVENT
from consent_filter.pseudonym import Keyring
from tests.lake import servers
from tests.lake.conftest import Servers
from throng import backup, restore
from warehouse.bucket import Bucket, Object
from warehouse.depot import new
from warehouse.lake import Lake
from warehouse.lake_settings import settings

pytestmark = [pytest.mark.needs("postgresql"), pytest.mark.needs("s3"), pytest.mark.timeout(400)]
WRONG = "another-canary"


def turned(data: Path, key: str, value: str) -> None:
    """Change one line of the settings."""
    file = data / "throng.toml"
    text, n = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", file.read_text())
    assert n == 1
    file.write_text(text)


def said(data: Path) -> str:
    """What opening the lake for writing comes to."""
    with pytest.raises((Misconfigured, OSError)) as caught:
        Lake.open(data, write=True)
    whole = "".join(traceback.format_exception(caught.value))
    for secret in (servers.PASSWORD, servers.SECRET, WRONG):
        assert secret not in whole
    return str(caught.value)


@pytest.mark.requirement("M110")
def test_a_bucket_that_keeps_versions_is_refused(tmp_path: Path, made: Callable[..., Path]) -> None:
    data = made(tmp_path / "data")
    bucket = Bucket(settings(data), str(data))
    Object(bucket, "lake/a").put(b"x")
    for status in ("Enabled", "Suspended"):
        body = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>".encode()
        assert bucket.ask("PUT", asked={"versioning": ""}, body=body).status == 200
        assert f"versioning is {status}" in said(data)


def test_what_is_wrong_is_named_and_secrets_are_not(
    tmp_path: Path, both: Servers, made: Callable[..., Path]
) -> None:
    data = made(tmp_path / "data")
    lake = Lake.open(data, write=True)
    assert lake is not None
    lake.close()
    (data / "pg").write_text(WRONG)
    assert "lake.username" in said(data)
    (data / "pg").unlink()
    assert "lake.password_file" in said(data)
    (data / "pg").write_text(servers.PASSWORD)
    turned(data, "database", '"nowhere"')
    assert "lake.database" in said(data)
    turned(data, "port", "1")
    assert "no answer from the catalog at 127.0.0.1:1" in said(data)
    turned(data, "port", str(both.postgres.port))
    (data / "s3").write_text(WRONG)
    assert "lake.access_key" in said(data)
    (data / "s3").write_text(servers.SECRET)
    turned(data, "bucket", '"no-such-bucket"')
    assert "lake.bucket" in said(data)
    turned(data, "endpoint", '"http://127.0.0.1:1"')
    assert "no answer from http://127.0.0.1:1" in said(data)


def test_a_backup_says_what_is_not_in_it_and_is_not_restored_over_it(
    tmp_path: Path, made: Callable[..., Path]
) -> None:
    data = made(tmp_path / "data")
    Keyring.open(data / "keys.json")
    made_to = backup.make(data, tmp_path / "copies", 30)
    with pytest.raises(Refused) as caught:
        restore.run(made_to, data)
    assert caught.value.code == "lake_elsewhere"
    assert (data / "keys.json").exists()


def test_what_a_killed_writer_left_goes_when_it_is_old(
    tmp_path: Path, both: Servers, made: Callable[..., Path]
) -> None:
    data = made(tmp_path / "data")
    lake = Lake.open(data, write=True)
    assert lake is not None
    room, prefix = lake.room()
    for age in (60, 4000):
        with new(room / f"{prefix}-{age}.parquet") as out:
            pq.write_table(EVENT.empty_table(), out)
        file = both.storage.data / str(room).removeprefix("s3://") / f"{prefix}-{age}.parquet"
        os.utime(file, (time.time() - age,) * 2)
    assert lake.sweep() == 1
    assert [name[-11:] for name in lake.files()] == ["-60.parquet"], "another machine may be writing it"
    lake.close()


def test_both_are_spoken_to_by_tls_and_must_show_who_they_are(
    tmp_path: Path, both: Servers, made: Callable[..., Path]
) -> None:
    ca = {"ca": str(both.certificate), "endpoint_ca": str(both.certificate)}
    data = made(tmp_path / "data", host="localhost", tls=True, endpoint=both.safe.address, **ca)
    lake = Lake.open(data, write=True)
    assert lake is not None
    # Inlined rows are flushed to a file by DuckDB itself, and read again: its own way to the storage.
    lake.insert("offsets", [("here", 7)])
    lake.connection.execute("CALL ducklake_flush_inlined_data('lake', table_name => 'offsets')")
    assert lake.offsets() == {"here": 7}
    assert [name for name in lake.files() if "/offsets/" in name]
    lake.close()
    turned(data, "host", '"127.0.0.1"')  # the certificate is of localhost
    assert "lake.ca" in said(data)
    turned(data, "host", '"localhost"')
    system = "/etc/ssl/certs/ca-certificates.crt"
    turned(data, "ca", f'"{system}"')
    assert "lake.ca" in said(data)
    turned(data, "ca", f'"{both.certificate}"')
    turned(data, "endpoint_ca", f'"{system}"')
    assert f"no answer from {both.safe.address} (SSLCertVerificationError)" in said(data)


@pytest.mark.parametrize(("off", "says"), [(3600, "60 minutes ahead of"), (-86_400, "1440 minutes behind")])
def test_a_clock_that_the_storage_does_not_believe_is_named_and_not_the_key(
    tmp_path: Path, made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, off: int, says: str
) -> None:
    data, now, parts = made(tmp_path / "data"), time.time, time.gmtime
    bucket = Bucket(settings(data), str(data))
    monkeypatch.setattr(time, "time", lambda: now() + off)
    monkeypatch.setattr(time, "gmtime", lambda at=None: parts(now() + off if at is None else at))
    for method in ("GET", "HEAD"):
        with pytest.raises(OSError, match=says):
            bucket.ask(method, "lake/a")

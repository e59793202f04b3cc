"""Where [lake] says how objects are to be encrypted, nothing lies in the bucket in another way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from consent_filter.errors import Misconfigured
from tests.lake.conftest import Servers
from tests.lake.encrypting import Encrypting
from tests.lake.test_refusals import said, turned
from throng import check
from throng import lake as command
from warehouse import relocation
from warehouse.bucket import Bucket, Object
from warehouse.depot import Depot
from warehouse.encryption import ALGORITHM, KEY
from warehouse.lake import Lake
from warehouse.lake_settings import settings

pytestmark = [pytest.mark.needs("postgresql"), pytest.mark.needs("s3"), pytest.mark.timeout(400)]
ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab"


@pytest.fixture
def storage(both: Servers) -> Iterator[Encrypting]:
    with Encrypting(both.storage) as one:
        yield one


def rest(data: Path) -> check.Finding:
    """What `throng check` says of the bucket."""
    _, found = (one for one in check.findings(data) if one.about == "at rest")
    return found


def test_a_bucket_that_does_not_do_so_by_itself_is_refused(
    tmp_path: Path, storage: Encrypting, made: Callable[..., Path]
) -> None:
    data = made(tmp_path / "data", endpoint=storage.address, encrypt="AES256")
    bucket = settings(data).bucket
    assert "lake.encrypt = 'AES256'" in said(data)
    assert "it says: not at all" in said(data)
    storage.defaults[bucket] = {ALGORITHM: "aws:kms", KEY: ARN}
    assert f"it says: aws:kms under {ARN}" in said(data)
    found = rest(data)
    assert ARN in found.says
    assert found.mend
    storage.defaults[bucket] = {ALGORITHM: "AES256"}
    with closing(Lake.open(data, write=True)):  # type: ignore[arg-type]
        pass
    found = rest(data)
    assert found.says == f"the bucket {bucket} encrypts objects: AES256"
    assert not found.mend


def test_a_key_is_the_one_that_was_named(
    tmp_path: Path, storage: Encrypting, made: Callable[..., Path]
) -> None:
    data = made(tmp_path / "data", endpoint=storage.address, encrypt="aws:kms", kms_key="1234abcd-12ab")
    storage.defaults[settings(data).bucket] = {ALGORITHM: "aws:kms", KEY: ARN.replace("1234", "9999")}
    assert "lake.encrypt = 'aws:kms under 1234abcd-12ab'" in said(data)
    storage.defaults[settings(data).bucket] = {ALGORITHM: "aws:kms", KEY: ARN}
    with closing(Lake.open(data, write=True)):  # type: ignore[arg-type]
        pass


def test_whoever_writes_it_each_file_is_encrypted(
    tmp_path: Path, storage: Encrypting, made: Callable[..., Path]
) -> None:
    """One that we write says so itself; those that the engine writes are as the bucket does it."""
    data = made(tmp_path / "data", endpoint=storage.address, encrypt="AES256")
    storage.defaults[settings(data).bucket] = {ALGORITHM: "AES256"}
    lake = Lake.open(data, write=True)
    assert lake is not None
    with closing(lake):
        del storage.defaults[settings(data).bucket]
        (lake.depot.room() / "a.parquet").put(b"x")  # type: ignore[union-attr]
        storage.defaults[settings(data).bucket] = {ALGORITHM: "AES256"}
        lake.insert("offsets", [("here", 7)])
        lake.connection.execute("CALL ducklake_flush_inlined_data('lake', table_name => 'offsets')")
        files = lake.files()
        assert len(files) == 2
        assert all(lake.depot.like(file) for file in files)


def test_an_object_that_the_storage_did_not_encrypt_is_deleted(
    tmp_path: Path, storage: Encrypting, made: Callable[..., Path]
) -> None:
    data = made(tmp_path / "data", endpoint=storage.address, encrypt="AES256")
    bucket, storage.deaf = Bucket(settings(data), str(data)), True
    with pytest.raises(Misconfigured) as caught:
        Object(bucket, "lake/a").put(b"x")
    assert caught.value.key == "lake.encrypt"
    assert not Object(bucket, "lake/a").exists()


def test_what_was_there_before_is_counted_and_a_move_encrypts_it(
    tmp_path: Path, storage: Encrypting, made: Callable[..., Path]
) -> None:
    data = made(tmp_path / "data", endpoint=storage.address)
    lake = Lake.open(data, write=True)
    assert lake is not None
    with closing(lake):
        lake.insert("offsets", [("here", 7)])
        lake.connection.execute("CALL ducklake_flush_inlined_data('lake', table_name => 'offsets')")
    found = rest(data)
    assert "encrypts objects: not at all; [lake] encrypt does not insist" in found.says
    assert not found.mend
    assert command.show(data)["unlike"] == 0
    with open(data / "throng.toml", "a") as file:
        file.write('encrypt = "AES256"\nprefix = "lake"\n')
    storage.defaults[settings(data).bucket] = {ALGORITHM: "AES256"}
    assert command.show(data)["unlike"] == 1
    found = rest(data)
    assert "; 1 files were written before" in found.says
    assert found.mend
    turned(data, "prefix", '"anew"')
    table = command.table_of(data / "throng.toml")
    turned(data, "prefix", '"lake"')
    with open(data / "throng.toml") as file:
        assert 'prefix = "lake"' in file.read()
    command.move(data, table, time.time())
    assert settings(data).prefix == "anew"
    assert command.show(data)["unlike"] == 0


def test_what_a_killed_move_has_left_in_another_way_is_written_anew(
    tmp_path: Path, storage: Encrypting, made: Callable[..., Path]
) -> None:
    data = made(tmp_path / "data", endpoint=storage.address)
    bucket = settings(data).bucket
    storage.defaults[bucket] = {ALGORITHM: "AES256"}
    lake = Lake.open(data, write=True)
    assert lake is not None
    with closing(lake):
        lake.insert("offsets", [("here", 7)])
        lake.connection.execute("CALL ducklake_flush_inlined_data('lake', table_name => 'offsets')")
    new = msgspec.structs.replace(settings(data), prefix="anew", encrypt="AES256")

    def killed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        relocation.move(data, new, killed, time.time())
    depot = Depot(data, new)
    (file,) = depot.files()
    storage.objects[f"/{file.removeprefix('s3://')}"] = {}
    assert not depot.like(file)
    relocation.move(data, new, lambda: None, time.time())
    assert depot.like(file)

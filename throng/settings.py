"""The settings file, DATA/throng.toml: one table a package, refusing every key it does not know."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.one_table import FILE
from consent_filter.regions import Folder
from consent_filter.rights.settings import Rights
from consent_filter.rotation import Keys
from consent_filter.security import Security
from consent_filter.site import Site
from dashboards.accounts.settings import AccountSettings
from dashboards.settings import Dashboards
from ingest.log.settings import LogSettings
from ingest.settings import Ingest
from pipelines.settings import Backup, Pipelines
from throng.operations import Operations
from warehouse.advert_settings import Adverts
from warehouse.lake_settings import LakeSettings
from warehouse.recipient import Processor, Recipient, Schedule
from warehouse.release_settings import Release
from warehouse.settings import Warehouse


class Demo(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[demo]`. generated: the crowd in these numbers was made by a program; every page then says so."""

    generated: bool = False


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file. Each table is explained where its package reads it."""

    site: tuple[Site, ...] = ()
    folder: Folder = Folder()
    ingest: Ingest = Ingest()
    log: LogSettings = LogSettings()
    lake: LakeSettings = LakeSettings()
    pipelines: Pipelines = Pipelines()
    warehouse: Warehouse = Warehouse()
    adverts: Adverts = Adverts()
    dashboards: Dashboards = Dashboards()
    accounts: AccountSettings = AccountSettings()
    rights: Rights = Rights()
    keys: Keys = Keys()
    security: Security = Security()
    release: Release = Release()
    recipient: tuple[Recipient, ...] = ()
    processor: tuple[Processor, ...] = ()
    schedule: tuple[Schedule, ...] = ()
    backup: Backup = Backup()
    operations: Operations = Operations()
    demo: Demo = Demo()


def load(data: Path) -> Settings:
    """The settings of a data folder; the defaults where it has no file. Raises Misconfigured."""
    file = data / FILE
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return Settings()
    return read(text, str(file))


def read(text: bytes, name: str = FILE) -> Settings:
    """The settings that these bytes say. Raises Misconfigured."""
    try:
        found = msgspec.convert(tomllib.loads(text.decode()), Settings)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise Misconfigured(
            name, "…", f"{error}; every table and key is listed in docs/settings.md"
        ) from None
    here = found.folder.region
    sites = [msgspec.structs.replace(site, region=site.region or here) for site in found.site]
    return msgspec.structs.replace(found, site=tuple(sites))

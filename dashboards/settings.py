"""What the dashboards may be told: the `[dashboards]` table."""

from __future__ import annotations

from msgspec import Struct


class Dashboards(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[dashboards]`. hosts: names, besides loopback, under which the pages may be asked for. console: the
    officer's console for requests about one's own data, at /console, is there."""

    hosts: tuple[str, ...] = ()
    console: bool = False

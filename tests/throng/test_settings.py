"""Every setting is explained: a key that docs/settings.md does not list is one nobody can find."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from consent_filter.errors import Misconfigured
from consent_filter.site import Site
from throng.settings import Settings, load

ROOT = Path(__file__).resolve().parent.parent.parent


def test_every_key_is_in_the_docs() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    for table in msgspec.structs.fields(Settings):
        kind = Site if table.name == "site" else type(getattr(Settings(), table.name))
        for field in msgspec.structs.fields(kind):
            assert f"| `{field.name}` |" in text, f"{table.name}.{field.name}"


def test_an_unknown_key_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "throng.toml").write_text("[ingest]\nprot = 1\n")
    with pytest.raises(Misconfigured, match="prot"):
        load(tmp_path)

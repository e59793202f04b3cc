"""Where the pages are, for links that are printed."""

from __future__ import annotations

from pathlib import Path

from throng import lock
from throng.settings import Settings


def reached(data: Path, settings: Settings) -> str:
    """Where readers reach the pages: as `[dashboards] at` says; else on this machine, where they run now, or
    would by the settings."""
    at = settings.dashboards.at.rstrip("/")
    return at or local(settings, lock.pages(data) or settings.ingest.port + 1)


def local(settings: Settings, port: int) -> str:
    """The pages at that port of this machine."""
    return f"{'https' if settings.dashboards.certificate else 'http'}://127.0.0.1:{port}"

"""Which sites there are for whoever asks; none before the first publication."""

from __future__ import annotations

from consent_filter.errors import Refused
from dashboards import numbers
from dashboards.pages import Pages


def sites(pages: Pages) -> list[str]:
    """The busiest first."""
    try:
        with pages.reader.reading() as reading:
            return [one["site"] for one in numbers.sites(reading)]
    except Refused:
        return []

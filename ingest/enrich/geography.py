"""What one record of a geo database says: two shapes of country, and the ways a network is described.

Country: MaxMind's nested shape (https://dev.maxmind.com/geoip/docs/databases) and the flat `country_code`
that free sets use. Network: MaxMind's Connection-Type, Anonymous-IP, ISP, ASN and Enterprise records, and
the flat `network` of the file that ships.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ingest.enrich.continent import CONTINENT

UNKNOWN = "unknown"
#: What is believed first where two databases or two parts of a record disagree.
NETWORKS = ("hosting", "mobile", "business", "residential")

_BY_CONNECTION = {
    "Cellular": "mobile",
    "Corporate": "business",
    "Cable/DSL": "residential",
    "Dialup": "residential",
    "Satellite": "residential",
}
_BY_USER_TYPE = {
    "hosting": "hosting",
    "content_delivery_network": "hosting",
    "cellular": "mobile",
    "business": "business",
    "college": "business",
    "government": "business",
    "library": "business",
    "military": "business",
    "school": "business",
    "residential": "residential",
    "dialup": "residential",
    "consumer_privacy_network": "residential",
    "traveler": "mobile",
}
#: Autonomous systems that sell servers. No freely licensed list of them was found, so this one is short: the
#: largest, by hand; numbers are facts of the registries.
_HOSTING_AS = frozenset(
    (8075, 8560, 9009, 12876, 14061, 14618, 16276, 16509, 20473, 24940, 26496, 28753, 31898, 36351, 36352,
     37963, 45090, 45102, 46606, 47583, 49981, 51167, 53667, 60068, 60781, 62567, 63949, 132203, 197540,
     212238, 213230, 396982)
)  # fmt: skip


class Where(NamedTuple):
    """Country as ISO 3166 alpha-2, continent's two letters, region as ISO 3166-2 or a name."""

    country: str | None
    continent: str | None
    region: str | None


def understood(record: Any) -> bool:
    """Whether a record has any part that is read here."""
    return isinstance(record, dict) and not _READ.isdisjoint(record)


_READ = frozenset((
    "country", "registered_country", "continent", "country_code", "network", "connection_type", "user_type",
    "traits", "is_anonymous", "is_hosting_provider", "autonomous_system_number", "isp", "organization",
))  # fmt: skip


def where(record: dict[str, Any]) -> Where:
    """The country of a record: where it is used, else where its network is registered, else unknown."""
    flat = _code(record.get("country_code"))
    if flat is not None:
        name = record.get("state1")
        return Where(flat, CONTINENT.get(flat), name if isinstance(name, str) and name else None)
    country = _code(_in(record, "country", "iso_code")) or _code(
        _in(record, "registered_country", "iso_code")
    )
    continent = _code(_in(record, "continent", "code")) or CONTINENT.get(country or "")
    return Where(country, continent, _region(country, record.get("subdivisions")))


def network(records: Iterable[dict[str, Any]]) -> str:
    """The strongest thing that any of the records says of the network."""
    said = {one for record in records for part in (record, record.get("traits")) for one in _classes(part)}
    return next((one for one in NETWORKS if one in said), UNKNOWN)


def _classes(part: Any) -> Iterable[str | None]:
    if not isinstance(part, dict):
        return ()
    number = part.get("autonomous_system_number")
    sells_servers = part.get("is_hosting_provider") or (isinstance(number, int) and number in _HOSTING_AS)
    return (
        _text(part, "network"),
        "hosting" if sells_servers else None,
        "mobile" if part.get("mobile_network_code") else None,
        _BY_CONNECTION.get(_text(part, "connection_type")),
        _BY_USER_TYPE.get(_text(part, "user_type")),
    )


def _text(part: dict[str, Any], key: str) -> str:
    said = part.get(key)
    return said if isinstance(said, str) else ""


def _region(country: str | None, subdivisions: Any) -> str | None:
    """The first subdivision, e.g. AU-VIC; never a finer one."""
    if not isinstance(subdivisions, list) or not subdivisions or not isinstance(subdivisions[0], dict):
        return None
    first = subdivisions[0]
    code = first.get("iso_code")
    if isinstance(code, str) and code:
        return f"{country}-{code}" if country else None
    name = _in(first, "names", "en")
    return name if isinstance(name, str) and name else None


def _in(record: dict[str, Any], outer: str, inner: str) -> Any:
    part = record.get(outer)
    return part.get(inner) if isinstance(part, dict) else None


def _code(said: Any) -> str | None:
    """Two letters, or nothing: a database is somebody else's file."""
    return (
        said.upper()
        if isinstance(said, str) and len(said) == 2 and said.isascii() and said.isalpha()
        else None
    )

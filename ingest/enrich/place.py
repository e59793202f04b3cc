"""An address to its country, region and class of network, from a file. Nothing is remembered here."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import maxminddb
from maxminddb.const import MODE_MMAP_EXT

from consent_filter.errors import Misconfigured
from consent_filter.raw import Place
from ingest.enrich.geography import UNKNOWN, Where, network, understood, where

#: The file that ships: country by registry, and the ranges of cloud providers. See data/README.md.
SHIPPED = Path(__file__).parent / "data" / "places.mmdb"
#: What is said wherever its countries are shown.
APPROXIMATE = "Countries are approximate: where an address is registered, not where its user is."

NOWHERE = Place(None, "ZZ", None, UNKNOWN)
#: A file this small is read whole before it is believed; of a larger one, this many addresses.
_WHOLE = 4 << 20
_PROBES = 4096
#: Flat records remembered: countries times networks.
_FLAT = 4096
_FLAT_KEYS = {"country_code", "network"}

# RFC 1122, 1918, 3927, 4193, 4291, 6598: addresses that are nowhere, whatever a database says of them.
_NOWHERE_4 = [
    (int(n.network_address), int(n.broadcast_address))
    for n in map(ip_network, ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
                              "172.16.0.0/12", "192.168.0.0/16"))
]  # fmt: skip
_SUSPECT = frozenset(low >> 24 for low, _ in _NOWHERE_4) | frozenset(high >> 24 for _, high in _NOWHERE_4)
_MAPPED = bytes(10) + b"\xff\xff"


class Places:
    """One or several databases behind one question. The first that knows a country says where an address is;
    all together say what kind of network it is on."""

    def __init__(self, readers: Sequence[tuple[str, Any]], approximate: bool) -> None:
        self._readers = readers
        self._flat: dict[str, Place] = {}
        #: Whether countries come from the file that ships.
        self.approximate = approximate

    @classmethod
    def open(cls, geo: str | Path | None = None, networks: Iterable[str | Path] = ()) -> Places:
        """`geo`: a country or city database; the file that ships where it is None or empty. `networks`:
        databases of networks (ASN, ISP, Connection-Type, Anonymous-IP); without any, cloud ranges that ship.

        Raises Misconfigured where a file is not there, is damaged, or holds nothing that is understood.
        """
        named = [("ingest.geo", Path(geo))] if geo else []
        others = [("ingest.networks", Path(path)) for path in networks]
        readers = [(key, _open(key, path)) for key, path in (*named, *others)]
        says = {"country_code"} if not named else set()
        says |= {"network"} if not others else set()
        if says:
            shipped = _map(SHIPPED)
            readers.append(("the shipped database", shipped if len(says) == 2 else _Part(shipped, says)))
        return cls(readers, approximate=not named)

    def look(self, address: str) -> Place:
        """Where an address is; `ZZ` and unknown where that can't be told. Raises Misconfigured where the
        database turns out to be damaged; no message holds the address."""
        plain = _public(address)
        if plain is None:
            return NOWHERE
        records = [record for key, reader in self._readers if (record := _get(key, reader, plain))]
        if len(records) != 1 or not records[0].keys() <= _FLAT_KEYS:
            return _understand(records)
        # The file that ships says one of some 500 things: 1 µs to look it up instead of 4 to read it.
        said = repr(records[0])
        place = self._flat.get(said)
        if place is None:
            place = _understand(records)
            if len(self._flat) < _FLAT:
                self._flat[said] = place
        return place

    def close(self) -> None:
        for _, reader in self._readers:
            reader.close()


def _understand(records: Sequence[Any]) -> Place:
    """The country of the first record that has one, and what all of them say of the network."""
    places = [where(record) for record in records]
    found = next((w for w in places if w.country), None) or next(
        (w for w in places if w.continent), Where(None, None, None)
    )
    return Place(found.continent, found.country or "ZZ", found.region, network(records))


class _Part:
    """Some keys of a flat database: what the shipped file is still asked where others are named. Two sources
    in one column would confuse."""

    def __init__(self, reader: Any, keys: set[str]) -> None:
        self._reader = reader
        self._keys = keys
        self.close = reader.close

    def get(self, address: str) -> Any:
        return {key: said for key, said in (self._reader.get(address) or {}).items() if key in self._keys}


def _public(address: str) -> str | None:
    """The address without an IPv4-mapped prefix; None where it is private, local or no address at all."""
    try:
        if ":" not in address:
            packed = socket.inet_pton(socket.AF_INET, address)
            if packed[0] in _SUSPECT:
                number = int.from_bytes(packed)
                return None if any(low <= number <= high for low, high in _NOWHERE_4) else address
            return address
        packed = socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return None
    if packed[:12] == _MAPPED:
        return _public(socket.inet_ntop(socket.AF_INET, packed[12:]))
    local = packed[0] & 0xFE == 0xFC or (packed[0] == 0xFE and packed[1] & 0xC0 == 0x80)
    return None if local or packed[:15] == bytes(15) else address


def _get(key: str, reader: Any, address: str) -> Any:
    try:
        return reader.get(address)
    except maxminddb.InvalidDatabaseError:
        raise Misconfigured(key, "…", _DAMAGED) from None
    except ValueError:  # an IPv6 address in a database of IPv4
        return None


_DAMAGED = "a database that can be read to its end; this one is damaged: fetch it again"


def _map(path: Path) -> Any:
    return maxminddb.open_database(path, MODE_MMAP_EXT)


def _open(key: str, path: Path) -> Any:
    """An open reader whose file has been looked through."""
    try:
        reader = _map(path)
    except maxminddb.InvalidDatabaseError:
        raise Misconfigured(
            key, str(path), "a database in MaxMind's format; this file is none or damaged"
        ) from None
    except OSError as error:
        raise Misconfigured(
            key, str(path), f"a file that can be read ({error.strerror or 'it cannot'})"
        ) from None
    try:
        seen = [record for record in _sample(reader, path) if record]
    except (maxminddb.InvalidDatabaseError, ValueError, OverflowError):
        raise Misconfigured(key, str(path), _DAMAGED) from None
    if not any(map(understood, seen)):
        raise Misconfigured(
            key,
            str(path),
            "a database of countries or networks, in MaxMind's shape or with a flat country_code",
        )
    return reader


def _sample(reader: Any, path: Path) -> Iterable[Any]:
    """Every record of a small file; of a large one, those of addresses from all over the tree."""
    about = reader.metadata()
    if path.stat().st_size <= _WHOLE:
        yield from (record for _, record in reader)
        return
    for n in range(_PROBES):
        yield reader.get(socket.inet_ntop(socket.AF_INET, (n << 20 | 0x101).to_bytes(4)))
        if about.ip_version == 6:
            yield reader.get(socket.inet_ntop(socket.AF_INET6, ((0x20000 + n * 8) << 108).to_bytes(16)))

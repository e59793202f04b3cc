"""How busy a network is with adverts: counters of minutes, in memory, under the day's own key (M44).

A network is the /24 or /48 of an address. Of its count only a class is stored with an event, and quiet
networks are all of one class: the number would help to tell visitors apart (M30). What spikes is noted by the
hour for the security officer (`consent_filter/security.py`), under the day's own key for that purpose.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consent_filter.marketing import CONTACT
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Raw
from consent_filter.suspicion import SPIKE

#: Milliseconds of a window. A count is that of this window and the one before: 5 to 10 minutes.
WINDOW = 300_000
#: Fewer events than this are quiet, class 0: ten viewers behind one address of a carrier may make a hundred.
QUIET = 128
#: Networks counted at once; who makes more of them is a botnet, and those who come first are counted.
_MOST = 200_000
_HOUR = 3_600_000


class Spike(NamedTuple):
    """Of one hour (UTC, since 1970) and network: its events since it spiked, and the largest count."""

    hour: int
    network: bytes
    events: int
    peak: int


class Rates:
    """One thread at a time."""

    def __init__(self, keys: Keyring, quiet: int = QUIET, spike: int = SPIKE) -> None:
        self._keys, self._quiet, self._spike = keys, quiet, spike
        self._window = self._version = -1
        self._now: dict[bytes, int] = {}
        self._before: dict[bytes, int] = {}
        self._networks: dict[str, bytes] = {}
        self._spikes: dict[tuple[int, bytes], list[int]] = {}

    def add(self, address: str, received: int, n: int = 1) -> None:
        """Count events of an address, received then (UTC ms)."""
        window = received // WINDOW
        if window != self._window:
            self._before = self._now if window == self._window + 1 else {}
            self._now, self._window = {}, window
            self._networks.clear()
        network = self._networks.get(address) or self._network(address)
        if network not in self._now and len(self._now) >= _MOST:
            return
        self._now[network] = self._now.get(network, 0) + n
        count = self._count(network)
        if count >> self._spike:
            self._note(received // _HOUR, network, n, count)

    def of(self, address: str) -> int:
        """The class of an address that was counted: log2 of its network's events, 0 where that is quiet."""
        count = self._count(self._networks.get(address) or self._network(address))
        return 0 if count < self._quiet else count.bit_length() - 1

    def rows(self, raw: Raw) -> NDArray[np.int16] | None:
        """The same of each row of a batch, -1 where it is about no advert, or is no visitor's; None where all
        are."""
        types = np.array([type.startswith("ad_") and type != CONTACT for type in raw.type.values], np.bool_)
        if not types.any():
            return None
        about = types[raw.type.codes]
        if not about.any():
            return None
        received = int(raw.received[about].max())
        codes = Counter(raw.address.codes[about].tolist())
        for code, n in codes.items():
            self.add(raw.address.values[code], received, n)
        classes = np.full(len(raw.address.values), -1, np.int16)
        for code in codes:
            classes[code] = self.of(raw.address.values[code])
        return np.where(about, classes[raw.address.codes], np.int16(-1))

    def take(self) -> list[Spike]:
        """What has spiked since it was taken last."""
        taken, self._spikes = self._spikes, {}
        return [Spike(hour, network, events, peak) for (hour, network), (events, peak) in taken.items()]

    def _count(self, network: bytes) -> int:
        return self._now.get(network, 0) + self._before.get(network, 0)

    def _note(self, hour: int, network: bytes, n: int, count: int) -> None:
        found = self._spikes.get((hour, network))
        if found is None:
            if len(self._spikes) < _MOST:
                self._spikes[hour, network] = [count, count]
            return
        found[0] += n
        found[1] = max(found[1], count)

    def _network(self, address: str) -> bytes:
        if self._keys.version != self._version:
            # Another key than before names networks anew: what was counted is nobody's any more.
            self._version = self._keys.version
            self._now, self._before = {}, {}
            self._networks.clear()
        if len(self._networks) >= _MOST:
            self._networks.clear()
        found = self._networks[address] = hashed(self._keys, prefix(address))
        return found


def hashed(keys: Keyring, network: str) -> bytes:
    """The keyed hash of a network on the present day (UTC), eight bytes; none where there is no key."""
    state = keys.day(keys.today(), "security")
    if state is None:
        return b""
    one = state.copy()
    one.update(network.encode("utf-8", "surrogatepass"))
    return bytes(one.digest())


def prefix(address: str) -> str:
    """The /24 or /48 of an address as one text; "" of what is none."""
    if ":" not in address:
        return address.rpartition(".")[0]
    try:
        found = IPv6Address(address.partition("%")[0])
    except AddressValueError:
        return ""
    mapped = found.ipv4_mapped
    return str(mapped).rpartition(".")[0] if mapped else f"{int(found) >> 80:x}:"

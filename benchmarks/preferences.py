"""A preference changes → the very next event obeys: how long that takes on a running collector (M73).

One visitor refuses and agrees in turn by `PUT /preferences`, on a collector that is busy with nothing else.
Measured is from the first byte of the change to the answer, when it binds; and to the answer of an event that
was sent at once after it. Every event has to be judged by the last word, or there is no figure.
"""

from __future__ import annotations

import http.client
import json
import re
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.collecting import Process, collector
from benchmarks.line import emit

ROUNDS = 400
_HEAD = {"Origin": "https://market.example", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}


def _send(line: http.client.HTTPConnection, method: str, path: str, said: object) -> int:
    line.request(method, path, json.dumps(said), _HEAD)
    answer = line.getresponse()
    answer.read()
    return answer.status


def _counted(line: http.client.HTTPConnection) -> tuple[int, int]:
    line.request("GET", "/metrics")
    text = line.getresponse().read().decode()
    found = (
        re.search(rf'outcome="{what}\}} (\d+)', text) for what in ('stored"', 'refused",reason="consent"')
    )
    stored, refused = (int(one[1]) if one else 0 for one in found)
    return stored, refused


def measure(running: Process) -> None:
    line = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    who = {"site": "market", "user_id": "member-1"}
    event = who | {"type": "page_view", "url": "https://market.example/"}
    binds, obeyed, late = [], [], []
    for number in range(ROUNDS):
        change = who | {"source": "panel", "purposes": {"measurement": bool(number % 2)}}
        before = _counted(line)
        begun = time.perf_counter()
        assert _send(line, "PUT", "/preferences", change) == 200
        bound = time.perf_counter()
        assert _send(line, "POST", "/e", event) == 202
        binds.append((bound - begun) * 1000)
        obeyed.append((time.perf_counter() - begun) * 1000)
        expected = (before[0] + number % 2, before[1] + 1 - number % 2)
        for _ in range(200):  # a refusal is counted with the next commit
            if _counted(line) == expected:
                break
            time.sleep(0.005)
        else:
            late.append(number)
    assert not late, f"{len(late)} events were judged by an older word"
    emit("preference_binds", statistics.median(binds), "ms", n=ROUNDS)
    emit("preference_binds_p99", statistics.quantiles(binds, n=100)[98], "ms", n=ROUNDS)
    emit("preference_next_event_obeys", statistics.median(obeyed), "ms", n=ROUNDS)
    emit("preference_next_event_obeys_p99", statistics.quantiles(obeyed, n=100)[98], "ms", n=ROUNDS)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, collector(Path(folder) / "data") as running:
        measure(running)


if __name__ == "__main__":
    main()

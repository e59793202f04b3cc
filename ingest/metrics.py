"""What the collector says of itself, as Prometheus reads it: numbers by reason, never a visitor's value."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from contextlib import suppress
from pathlib import Path

from consent_filter.counts import BESIDE, RECEIVED, REFUSED, REMOVED, STORED, Counts

#: The file of the data folder in which the pipeline says the same of itself (`throng/gauges.py`).
PIPELINE = "metrics.prom"
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Histogram:
    """Seconds, in cumulative buckets."""

    def __init__(self) -> None:
        self.counts, self.sum = [0] * (len(_BOUNDS) + 1), 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(_BOUNDS, seconds)] += 1
        self.sum += seconds

    def lines(self, name: str) -> list[str]:
        total, lines = 0, []
        for bound, n in zip((*_BOUNDS, "+Inf"), self.counts, strict=True):
            total += n
            lines.append(f'{name}_bucket{{le="{bound}"}} {total}')
        return [f"# TYPE {name} histogram", *lines, f"{name}_sum {self.sum:.6f}", f"{name}_count {total}"]


class Metrics:
    """Counters since the process started. `pipeline`: the file in which the pipeline of this machine tells of
    itself, where there is one: the page ends with it."""

    def __init__(self, pipeline: Path | None = None) -> None:
        self._pipeline = pipeline
        self.events: Counter[tuple[str, str]] = Counter()
        #: Fields of stored events that were not stored with them, by kind.
        self.removed: Counter[str] = Counter()
        self.responses: Counter[int] = Counter()
        #: What became of requests for unsubscribe links.
        self.links: Counter[str] = Counter()
        #: Requests about one's own data: refused ones by code, and how many are open, unproved, overdue.
        self.requests: Counter[str] = Counter()
        self.rights: dict[str, int] = {}
        self.commits = Histogram()
        #: Requests in the commit that is under way or waiting for the next, and their bytes; secrets redacted
        #: from addresses.
        self.waiting = self.waiting_bytes = self.redacted = 0
        self.unwritable = False
        #: Clicks that were led on while nothing could be stored: they are in no count but this.
        self.clicks_lost = 0

    def add(self, counts: Counts) -> None:
        """The counts of a record that is durable now."""
        for key, n in counts.items():
            if key.outcome == REMOVED:
                self.removed[key.detail] += n
            elif key.outcome not in BESIDE:
                self.events[key.outcome, key.reason] += n

    def text(self) -> str:
        """The whole page."""
        lines = ["# TYPE throng_events_total counter"]
        for outcome in (RECEIVED, STORED):
            lines.append(f'throng_events_total{{outcome="{outcome}"}} {self.events[outcome, ""]}')
        for (outcome, reason), n in sorted(self.events.items()):
            if outcome == REFUSED:
                lines.append(f'throng_events_total{{outcome="refused",reason="{reason}"}} {n}')
        lines.append("# TYPE throng_removed_total counter")
        lines += [f'throng_removed_total{{field="{field}"}} {n}' for field, n in sorted(self.removed.items())]
        lines.append("# TYPE throng_responses_total counter")
        lines += [f'throng_responses_total{{status="{s}"}} {n}' for s, n in sorted(self.responses.items())]
        lines.append("# TYPE throng_unsubscribe_total counter")
        lines += [f'throng_unsubscribe_total{{outcome="{how}"}} {n}' for how, n in sorted(self.links.items())]
        lines.append("# TYPE throng_rights_refused_total counter")
        lines += [f'throng_rights_refused_total{{code="{c}"}} {n}' for c, n in sorted(self.requests.items())]
        lines.append("# TYPE throng_rights gauge")
        lines += [f'throng_rights{{state="{state}"}} {n}' for state, n in self.rights.items()]
        lines += self.commits.lines("throng_commit_seconds")
        lines += ["# TYPE throng_redacted_total counter", f"throng_redacted_total {self.redacted}"]
        lines += ["# TYPE throng_clicks_lost_total counter", f"throng_clicks_lost_total {self.clicks_lost}"]
        lines += ["# TYPE throng_waiting gauge", f"throng_waiting {self.waiting}"]
        lines += ["# TYPE throng_waiting_bytes gauge", f"throng_waiting_bytes {self.waiting_bytes}"]
        lines += ["# TYPE throng_log_writable gauge", f"throng_log_writable {int(not self.unwritable)}"]
        told = ""
        if self._pipeline is not None:
            with suppress(OSError):
                told = self._pipeline.read_text()
        return "\n".join(lines) + "\n" + told

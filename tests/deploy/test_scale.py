"""The page of sizes is what its arithmetic says, and grows as it should."""

from __future__ import annotations

from itertools import pairwise

from benchmarks.scale import LOADS, PAGE, Measured, size, written


def test_the_page_has_the_tables_of_now() -> None:
    page = PAGE.read_text()
    assert written(page) == page, "python -m benchmarks.scale --write"


def test_more_takes_more_and_faster_takes_less() -> None:
    sizes = [size(load) for load in LOADS]
    for less, more in pairwise(sizes):
        assert less.dollars < more.dollars
        assert less.facts_tb < more.facts_tb
        assert less.buckets <= more.buckets
        assert less.collectors <= more.collectors
    fast = Measured()._replace(fold=Measured().fold * 10, report=Measured().report * 10)
    assert size(LOADS[-1], fast).fold_cores < sizes[-1].fold_cores
    small = size(LOADS[0])
    assert (small.collectors, small.brokers, small.buckets) == (1, 0, 16)


def test_what_was_measured_at_one_and_ten_events_a_request_comes_out_again() -> None:
    for events, rate in ((1, Measured().requests), (10, Measured().events)):
        load = LOADS[0]._replace(events=rate / 4 * 86_400 * 5, peak=4.0, a_request=events)
        assert size(load).collectors in (10, 11)  # five collectors' worth at half their rate

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
    assert (small.collectors, small.brokers, small.buckets) == (1, 0, 1)


def test_what_breaks_first_is_what_one_may_have_least_of() -> None:
    first = size(LOADS[-1])
    (worst, share), *_ = sorted(first.strains().items(), key=lambda one: -one[1])
    assert first.breaks().startswith(worst)
    # At so many times less it just holds, and then it is at the one that is closest again.
    less = size(LOADS[-1]._replace(events=LOADS[-1].events / share))
    assert 0.9 < less.strains()[worst] < 1.1
    slow = Measured()._replace(commit_files=1.0)
    assert size(LOADS[-1], slow).breaks().startswith("the commit")


def test_what_was_measured_at_one_and_ten_events_a_request_comes_out_again() -> None:
    for events, rate in ((1, Measured().requests), (10, Measured().events)):
        load = LOADS[0]._replace(events=rate / 4 * 86_400 * 5, peak=4.0, a_request=events)
        assert size(load).collectors in (10, 11)  # five collectors' worth at half their rate

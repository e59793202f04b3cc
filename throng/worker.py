"""`throng worker`: the pool of workers that stands beside each task manager of a Flink cluster."""

from __future__ import annotations

from argparse import Namespace


def main(arguments: Namespace) -> int:
    from pipelines import workers

    workers.run(arguments.at)
    return 0

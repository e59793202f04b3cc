"""How a job runs: which Beam runner, and nothing about what it does."""

from __future__ import annotations

import logging

from pipelines.settings import Pipelines

# Beam says on import that it has no cloud clients; nobody asked for one.
logging.getLogger().addFilter(lambda record: "apitools" not in record.getMessage())

import apache_beam as beam  # noqa: E402
from apache_beam.options.pipeline_options import PipelineOptions  # noqa: E402

__all__ = ["beam", "pipeline"]


def pipeline(settings: Pipelines = Pipelines()) -> beam.Pipeline:  # noqa: B008
    """A pipeline on the runner that the settings name.

    The default is in this process, in memory, and named on purpose: `DirectRunner` tries to download another
    runner, and `multi_threading` was seen to lose rows in GroupByKey while reporting success.
    """
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    mode = ("--direct_running_mode=in_memory",) if settings.here else ()
    return beam.Pipeline(runner=settings.runner, options=PipelineOptions([*mode, *settings.options]))

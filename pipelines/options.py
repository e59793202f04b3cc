"""How a job runs: which Beam runner, and nothing about what it does."""

from __future__ import annotations

import logging
import os
import socket

from consent_filter.errors import Misconfigured
from pipelines.settings import Pipelines
from warehouse.lazily import later

# Beam says on import that it has no cloud clients, and no MongoDB; nobody asked for one.
logging.getLogger().addFilter(lambda record: "apitools" not in record.getMessage())
logging.getLogger("apache_beam.io.mongodbio").setLevel(logging.CRITICAL)

# Clients of MongoDB and of clouds' HTTP: a third of what it takes to begin.
with later(("httplib2", "requests"), never=("bson", "pymongo")):
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

__all__ = ["beam", "pipeline"]

#: Seconds that a job server has to take a connection.
_PATIENCE = 5.0
#: What Beam calls them.
_NAMES = {"in_process": "FnApiRunner", "flink": "PortableRunner", "prism": "PrismRunner"}


def pipeline(settings: Pipelines = Pipelines()) -> beam.Pipeline:  # noqa: B008
    """A pipeline on the runner that the settings name. Raises Misconfigured where it is not there.

    The default is in this process, in memory, and named on purpose: `DirectRunner` tries to download another
    runner, and `multi_threading` was seen to lose rows in GroupByKey while reporting success.
    """
    # A runner's own lines quote a job, and in this process the message of whatever exception a library has
    # raised, which may hold a visitor's value; ours say what is wrong (beamio.py).
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    options = [*_told(settings), *settings.options]
    return beam.Pipeline(
        runner=_NAMES.get(settings.runner, settings.runner), options=PipelineOptions(options)
    )


def _told(settings: Pipelines) -> list[str]:
    """Options that follow from settings."""
    if settings.here:
        return ["--direct_running_mode=in_memory"]
    if settings.runner == "prism":
        if not os.access(settings.prism, os.X_OK):
            raise Misconfigured("pipelines.prism", settings.prism, "a program that can be run")
        return [f"--prism_location={settings.prism}"]
    if settings.runner == "flink":
        _answers(settings.job_server)
        return [
            f"--job_endpoint={settings.job_server}",
            "--environment_type=EXTERNAL",
            f"--environment_config={settings.workers}",
            f"--parallelism={settings.parallelism}",
        ]
    return []


def _answers(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _PATIENCE).close()
    except OSError:
        raise Misconfigured(
            "pipelines.job_server", address, "where a Flink job server of Beam listens; none does"
        ) from None

"""Spans of what the pipeline does, for whoever collects traces; OpenTelemetry is imported only when it is on.

A span has a name that is written here or where it is called, and numbers; never a text of an event, nor an
exception's message, which may quote one: a failure is `describe`d as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from consent_filter.errors import Misconfigured
from consent_filter.failure import describe
from throng import __version__

_tracer: Any = None


def begin(address: str) -> Callable[[], None]:
    """From now on spans go to that address; "" is nowhere. Returns what sends the last ones, at the end."""
    global _tracer
    if not address:
        _tracer = None
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        needed = "opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http have to be installed first"
        raise Misconfigured("operations.traces", "…", needed) from None
    # Not Resource.create: it would add what the machine's environment says of itself.
    provider = TracerProvider(resource=Resource({"service.name": "throng", "service.version": __version__}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address, timeout=5)))
    _tracer = provider.get_tracer("throng")
    return provider.shutdown


@contextmanager
def span(name: str) -> Iterator[Callable[[Mapping[str, object]], None]]:
    """Something that takes a while. What is yielded takes its numbers; anything else is left out."""
    if _tracer is None:
        yield lambda said: None
        return
    with _tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as one:

        def tell(said: Mapping[str, object]) -> None:
            for key, value in said.items():
                if isinstance(value, int | float):
                    one.set_attribute(f"throng.{key}", value)

        try:
            yield tell
        except Exception as error:
            one.set_attribute("throng.failure", describe(error))
            raise

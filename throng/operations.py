"""`[operations]`: how Throng tells its operators what it does."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

from consent_filter.errors import Misconfigured

FORMS = ("text", "json")


class Operations(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[operations]`. lines: "text" for people, or "json": what the parts say is then one object a line, and
    each pass of the pipeline one with its numbers. traces: where spans of the pipeline's passes go by OTLP
    over HTTP, e.g. "http://127.0.0.1:4318/v1/traces"; it needs OpenTelemetry. Neither holds anything of a
    visitor ([operations.md](operations.md)).
    """

    lines: str = "text"
    traces: str = ""

    def __post_init__(self) -> None:
        if self.lines not in FORMS:
            raise Misconfigured("operations.lines", self.lines, " or ".join(FORMS))
        if self.traces and (urlsplit(self.traces).scheme not in ("http", "https") or "@" in self.traces):
            raise Misconfigured("operations.traces", "…", "an address of http or https without a password")

"""One line of a web server's log, in the formats that servers write by default, to its parts.

`common` and `combined` are Apache's and nginx's (https://httpd.apache.org/docs/2.4/logs.html), with the
virtual host in front where `vhost_combined` puts it and anything behind where somebody added a field. `json`
is one object a line with the field names of nginx (`remote_addr`, `request`, `http_user_agent`, …), Caddy
(`request.remote_ip`, `request.headers`, …), Traefik (`ClientHost`, …) or plain words; `FIELDS` lists them.

The name of a signed-in user, which both formats have a place for, is not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec


class Line(NamedTuple):
    """The parts of a line as written, "" where absent; `None` only where a header was not there at all.

    `time` is text or a number as the log has it. `media` is the answer's Content-Type.
    """

    host: str | None
    address: str
    time: Any
    request: str
    status: str
    referrer: str | None
    agent: str | None
    media: str | None = None
    gpc: str | None = None
    dnt: str | None = None
    purpose: str | None = None


Reader = Callable[[str], Line | None]

_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_COMMON = r"(?:([\w.\-]+:\d+) )?(\S+) \S+ [^\[]*\[([^\]]{20,32})\] " + _QUOTED + r" (\d{3}) (?:\d+|-)"
_combined = re.compile(_COMMON + f" {_QUOTED} {_QUOTED}(?: .*)?", re.DOTALL).fullmatch
_common = re.compile(_COMMON, re.DOTALL).fullmatch
_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.)", re.DOTALL)
_CONTROL = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f", b"v": b"\v"}

#: In a log without agents, what stands for one: no list of programs knows it, so that people remain.
NO_AGENT = "Mozilla/5.0 (not logged)"


def unescaped(text: str) -> str:
    r"""The text behind `\"`, `\\` and `\xhh`, which servers write for what would break a line."""
    if "\\" not in text:
        return text

    def plain(found: re.Match[bytes]) -> bytes:
        what = found[1]
        return bytes([int(what[1:], 16)]) if len(what) == 3 else _CONTROL.get(what, what)

    return _ESCAPE.sub(plain, text.encode(errors="replace")).decode(errors="replace")


def combined(line: str) -> Line | None:
    """A line of the combined format, or None."""
    found = _combined(line)
    return Line(*found.group(1, 2, 3, 4, 5, 6, 7)) if found else None


def common(line: str) -> Line | None:
    """A line of the common format, or None. It says neither referrer nor agent."""
    found = _common(line)
    if found is None:
        return None
    host, address, time, request, status = found.groups()
    return Line(host, address, time, request, status, None, NO_AGENT)


#: Our part to the names it goes by, in the order they are tried. A dot goes into an object; header names are
#: compared in lower case. Lists (Caddy's headers) count by their first element.
FIELDS: dict[str, tuple[str, ...]] = {
    "host": ("host", "http_host", "server_name", "vhost", "request.host", "RequestHost"),
    "address": ("remote_addr", "client_ip", "remote_ip", "address", "ip", "request.client_ip",
                "request.remote_ip", "request.remote_addr", "ClientHost", "clientip", "remote_host"),
    "time": ("time_iso8601", "time_local", "msec", "time", "timestamp", "@timestamp", "ts", "StartUTC"),
    "method": ("request_method", "method", "request.method", "RequestMethod", "verb"),
    "uri": ("request_uri", "uri", "url", "path", "request.uri", "RequestPath"),
    "status": ("status", "status_code", "response", "DownstreamStatus", "code"),
    "referrer": ("http_referer", "http_referrer", "referer", "referrer", "request.headers.referer",
                 "request_Referer"),
    "agent": ("http_user_agent", "user_agent", "agent", "request.headers.user-agent", "request_User-Agent"),
    "media": ("sent_http_content_type", "content_type", "resp_headers.content-type"),
    "gpc": ("http_sec_gpc", "request.headers.sec-gpc", "request_Sec-Gpc"),
    "dnt": ("http_dnt", "request.headers.dnt", "request_Dnt"),
    "purpose": ("http_sec_purpose", "http_purpose", "request.headers.sec-purpose", "request.headers.purpose"),
}  # fmt: skip
_PATHS = {part: tuple(tuple(name.split(".")) for name in names) for part, names in FIELDS.items()}
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def json(line: str) -> Line | None:
    """A line that is a JSON object, or None."""
    try:
        says = _decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    part = {name: _first(says, paths) for name, paths in _PATHS.items()}
    request = says.get("request")
    if not isinstance(request, str):
        method, uri = part["method"], part["uri"]
        request = f"{method} {uri}" if isinstance(method, str) and isinstance(uri, str) else ""
    status, time = part["status"], part["time"]
    if isinstance(time, bool) or not isinstance(time, (str, int, float)):
        time = None
    return Line(
        _text(part["host"]), _text(part["address"]) or "", time, request,
        str(status) if isinstance(status, (int, str)) else "", _text(part["referrer"]), _text(part["agent"]),
        _text(part["media"]), _text(part["gpc"]), _text(part["dnt"]), _text(part["purpose"]),
    )  # fmt: skip


def _first(says: Mapping[str, Any], paths: Iterable[tuple[str, ...]]) -> Any:
    for path in paths:
        found: Any = says
        for step in path:
            if not isinstance(found, dict):
                found = None
                break
            found = found.get(step) if step in found else _header(found, step)
        if isinstance(found, list):
            found = found[0] if found else None
        if found is not None and not isinstance(found, dict):
            return found
    return None


def _header(said: Mapping[str, Any], name: str) -> Any:
    """A header whatever its capitals: Caddy writes `User-Agent`, its HTTP/2 clients `user-agent`."""
    if "-" not in name and name not in ("referer", "dnt", "purpose"):
        return None
    return next((value for key, value in said.items() if key.lower() == name), None)


def _text(said: Any) -> str | None:
    return said if isinstance(said, str) else None


READERS: dict[str, Reader] = {"combined": combined, "common": common, "json": json}


def recognised(lines: Iterable[str]) -> str | None:
    """The format that reads the most of these lines; None where none reads half of them."""
    known = [line for line in lines if line.strip()]
    found = {name: sum(read(line) is not None for line in known) for name, read in READERS.items()}
    best = max(found, key=lambda name: found[name])
    return best if known and found[best] * 2 >= len(known) else None

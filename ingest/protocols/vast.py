"""What a video player calls, `GET /ad/vast?event=…`: the tracking addresses of VAST 4.x, with its macros.

A player replaces `[MACRO]` by what it knows, by -1 where it does not and by -2 where it may not say (IAB VAST
4.3, section 6). Each of these, and a macro that was not replaced, is nothing said; of a consent string it is
a refusal, because whoever was asked to pass one on and did not has none to show (standards 1.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from ingest.protocols.event import UNREADABLE
from ingest.protocols.finish import finish
from ingest.protocols.parsing import Parsed, Parsing
from ingest.protocols.query import IMAGE, decode
from ingest.request import Request

NAME = "vast"
#: VAST's events to ours: the type, and the step of a video.
EVENTS: dict[bytes, tuple[str, str]] = {
    b"impression": ("ad_impression", ""), b"viewable": ("ad_viewable", ""), b"click": ("ad_click", ""),
    b"notViewable": ("ad_video", "not_viewable"), b"viewUndetermined": ("ad_video", "undetermined"),
    b"loaded": ("ad_video", "loaded"), b"start": ("ad_video", "start"),
    b"firstQuartile": ("ad_video", "first"), b"midpoint": ("ad_video", "midpoint"),
    b"thirdQuartile": ("ad_video", "third"), b"complete": ("ad_video", "complete"),
    b"skip": ("ad_video", "skip"), b"pause": ("ad_video", "pause"), b"resume": ("ad_video", "resume"),
    b"mute": ("ad_video", "mute"), b"unmute": ("ad_video", "unmute"), b"rewind": ("ad_video", "rewind"),
    b"closeLinear": ("ad_video", "close"), b"playerExpand": ("ad_video", "expand"),
    b"playerCollapse": ("ad_video", "collapse"), b"error": ("ad_video", "error"),
}  # fmt: skip
#: What stands in our addresses, and the macro that is to replace it.
MACROS = {
    "view": "[ADSERVINGID]", "url": "[PAGEURL]", "gdpr_consent": "[GDPRCONSENT]", "gpp": "[GPPSTRING]",
    "gpp_sid": "[GPPSECTIONID]", "regulations": "[REGULATIONS]", "limited": "[LIMITADTRACKING]",
    "cb": "[CACHEBUSTING]",
}  # fmt: skip
_NOTHING = re.compile(
    rb"-[12]|(?:\[|%5[Bb])[A-Za-z0-9_]*(?:\]|%5[Dd])|(?:\$|%24)(?:\{|%7[Bb]).*|%%.*%%|%25%25.*"
)
#: A word of these is a refusal where it is no consent string.
_CONSENT = (b"gdpr_consent", b"gpp", b"us_privacy")
_OURS = (b"event", b"type", b"t", b"step", b"error", b"limited", b"regulations")
_CODE = re.compile(rb"[1-9]\d\d")
_REFUSAL = b"consent=%7B%22ad_measurement%22:false,%22ad_personalisation%22:false%7D"


def translate(query: bytes) -> bytes | str:
    """The same in the words of our own addresses; or the code of `ingest.rejects` why there is none."""
    parts, said = [], dict.fromkeys(_OURS, b"")
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        unsaid = _NOTHING.fullmatch(value) is not None
        if name in said:
            if said[name]:
                return "duplicate_key"
            said[name] = b"" if unsaid else value
        elif not unsaid or name in _CONSENT:
            parts.append(part)
    found = EVENTS.get(said[b"event"])
    if found is None:
        return "step"
    type_, step = found
    if step == "error" and _CODE.fullmatch(said[b"error"]):
        step += f"_{said[b'error'].decode()}"
    parts += [f"type={type_}".encode(), *([f"step={step}".encode()] if step else [])]
    laws = {law.strip().lower() for law in re.split(rb",|%2[Cc]", said[b"regulations"])}
    if said[b"limited"] == b"1" or b"coppa" in laws:
        parts.append(_REFUSAL)
    if b"gdpr" in laws and not any(part.startswith(b"gdpr=") for part in parts):
        parts.append(b"gdpr=1")
    return b"&".join(parts)


def parse(requests: Sequence[Request], parsing: Parsing) -> Parsed:
    """One event for each request, answered with an image."""
    said = [translate(request.query) for request in requests]
    asked = [
        replace(request, query=one if isinstance(one, bytes) else b"")
        for request, one in zip(requests, said, strict=True)
    ]
    rows = decode(asked, parsing, "ad_video")
    for index, one in enumerate(said):
        if isinstance(one, str):
            rows.bad[index], rows.events[index] = one, UNREADABLE
    return finish(NAME, requests, rows, parsing, IMAGE)

"""What the collector takes and answers as OpenAPI has it, made of the very structs that it decodes."""

from __future__ import annotations

from typing import Any

import msgspec

from ingest.acknowledging import Acknowledgement
from ingest.choosing import Choice
from ingest.preferring import Change
from ingest.protocols import ROUTES
from ingest.protocols.event import Event
from ingest.rights import Asked, Proved

_REFERENCES = "#/components/schemas/{name}"
_TEXT = {"type": "string"}
#: Parameters that images and links may have: those of an event, and what pages ask by.
_QUERY = (
    "site",
    "type",
    "url",
    "id",
    "device_id",
    "user_id",
    "time",
    "consent",
    "campaign",
    "to",
    "price",
    "x",
)
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": _TEXT, "message": _TEXT},
            "additionalProperties": False,
        }
    },
}
#: Members of an event are left undecoded until they are looked at, so the struct tells their names alone.
_EVENT = {
    "type": "object",
    "required": ["site", "type"],
    "properties": {
        **{name: {} for name in Event.__struct_encode_fields__},
        "site": {"enum": ["shop"]},
        "type": {"enum": ["page_view", "event", "ad_click"]},
    },
}
#: Address → method → the struct of its body; None where the query says it all.
_BODIES: dict[str, dict[str, type | None]] = {
    "/consent": {"get": None, "put": Choice},
    "/preferences": {"get": None, "put": Change},
    "/acknowledgement": {"post": Acknowledgement},
    "/rights": {"post": Asked},
    "/rights/{request}": {"get": None},
    "/rights/{request}/answer": {"get": None},
    "/rights/{request}/proof": {"post": Proved},
    "/rights/{request}/confirm": {"get": None},
    "/unsubscribe/{token}": {"get": None, "post": None},
    "/privacy/status": {"get": None},
    "/consent/key": {"get": None},
    "/health": {"get": None},
    "/metrics": {"get": None},
    **{
        path: {method.lower(): Event if method == "POST" else None for method in methods}
        for path, (methods, _) in ROUTES.items()
    },
}


#: Where people come by a link, and are told in a page.
_PAGES = ("/ad/go", "/unsubscribe/{token}", "/rights/{request}/confirm")


def document() -> dict[str, Any]:
    """The whole, as OpenAPI 3.1 has it."""
    kinds = list({kind for of in _BODIES.values() for kind in of.values() if kind and kind is not Event})
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCES)
    schema: dict[type, Any] = dict(zip(kinds, schemas, strict=True)) | {Event: _EVENT}
    return {
        "openapi": "3.1.0",
        "info": {"title": "the collector", "version": "1"},
        "paths": {
            path: {method: _operation(path, kind and schema[kind]) for method, kind in methods.items()}
            for path, methods in _BODIES.items()
        },
        "components": {"schemas": {**components, "Refusal": _ERROR}},
    }


def _operation(path: str, body: Any) -> dict[str, Any]:
    inside = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    refusal: dict[str, Any] = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    if path in _PAGES:
        refusal["text/html"] = {"schema": _TEXT}
    made: dict[str, Any] = {
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": _TEXT} for name in inside),
            *({"name": name, "in": "query", "schema": _TEXT} for name in _QUERY),
        ],
        # What is well is of the form of its protocol; what is refused is of the one form of refusals.
        "responses": {
            **{code: {"description": "well"} for code in ("2XX", "3XX")},
            **{code: {"description": "no", "content": refusal} for code in ("4XX", "503")},
        },
    }
    if body:
        made["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return made

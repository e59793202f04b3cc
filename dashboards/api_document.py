"""`/api/openapi.json`: what programs may ask of these pages, from the declarations in here (OpenAPI 3.1)."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards.replies import FORMS
from dashboards.rights import SCOPES, rule

_TABLES = {mime: {"schema": {"type": "string", "format": "binary"}} for mime in FORMS.values()}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "description": "stable, snake_case"},
                "message": {"type": "string", "description": "a sentence that says what to do instead"},
            },
        }
    },
}
_ANSWER = {
    "type": "object",
    "required": ["columns", "rows", "cut"],
    "properties": {
        "columns": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "type": {"type": "string"}},
            },
        },
        "rows": {"type": "array", "items": {"type": "object"}},
        "cut": {"type": "boolean", "description": "whether the answer was longer than this"},
        "seconds": {"type": "number"},
        "question": {"type": "string", "description": "explore: the question in its one form"},
        "days": {"type": "integer", "description": "explore: how many days are in the answer"},
        "left_out": {"type": "object", "description": "explore: reason → days that are not in it, and why"},
        "first": {"type": "string", "description": "a funnel: the first day that it is of"},
        "last": {"type": "string", "description": "a funnel: the last day"},
        "at": {"type": "string", "description": "a funnel: when it was followed (UTC)"},
        "asked": {"type": "boolean", "description": "a funnel: that it was followed"},
        "confidence": {"type": "number", "description": "a funnel: of people_low to people_high"},
        "accounts": {
            "type": "array",
            "description": "a funnel: of each month how many new ones are left, and of how many",
            "items": {"type": "object"},
        },
        "hidden": {
            "type": "object",
            "description": "explore: measure → how much more may be in rows of too few people",
        },
    },
}


class Operation(Struct, frozen=True):
    """One address. asks: what a question is called in the query (`q`) and in a JSON body. query: parameter →
    what it says. token: what kind of bearer token opens it, "" where none is needed. gives: media types."""

    path: str
    methods: tuple[str, ...]
    summary: str
    description: str = ""
    asks: str = ""
    query: dict[str, str] = {}
    token: str = ""
    gives: tuple[str, ...] = ("application/json",)


_DAYS = {
    "site": "the site; the first where none is said", "period": "day, 7, 28 or 90",
    "first": "the first day, 2026-09-01", "last": "the last day",
}  # fmt: skip
_FORMAT = {"format": f"one of {', '.join(FORMS)}; else by Accept"}
OPERATIONS = (
    Operation(
        "/api/sql", ("GET", "POST"), "One SQL statement on the released tables",
        "DuckDB's SQL, read-only: no files, no network, no settings. An answer has 100,000 rows at most.",
        asks="sql", query={**_FORMAT, "purpose": "only tables made for it, such as measurement"},
        gives=tuple(FORMS.values()),
    ),
    Operation("/api/sql/tables", ("GET",), "The released tables, their columns and what they mean"),
    Operation(
        "/api/explore", ("GET", "POST"), "One question about the crowd, from facts, as released rows",
        "people, views by country where device = 'mobile' from 2026-09-01 to 2026-09-30; or a funnel: GET"
        " reads what was followed already, POST follows, which spends: funnel page '/' then event 'sign_up'",
        asks="question", query=_FORMAT,
        gives=tuple(FORMS.values()),
    ),
    Operation("/api/explore/words", ("GET",), "Every measure and dimension that may be asked about"),
    Operation("/api/openapi.json", ("GET",), "This document"),
    Operation(
        "/api/adverts", ("GET", "PUT", "POST"), "The operator's list of campaigns",
        "Read, replaced (PUT, which says by If-Match what it is made from), or added to.",
        token="throng adverts token",
    ),
    Operation("/api/adverts/editions", ("GET",), "Who changed it when", token="throng adverts token"),
    Operation(
        "/segments/{site}", ("GET",), "What adverts meet on which kind of page, for the ad server",
        query={**_DAYS, "format": "json, csv or parquet"}, token="[dashboards] segments",
        gives=("application/json", "text/csv", "application/vnd.apache.parquet"),
    ),
    Operation(
        "/csv/{name}.csv", ("GET",), "The rows of a report, of one site in a period", query=_DAYS,
        gives=("text/csv",),
    ),
    Operation(
        "/files/{name}.xlsx", ("GET",), "The same as a workbook", query=_DAYS,
        gives=("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",),
    ),
    Operation(
        "/files/{name}.parquet", ("GET",), "The same as Parquet", query=_DAYS,
        gives=("application/vnd.apache.parquet",),
    ),
    Operation(
        "/files/{name}.png", ("GET",), "A picture of it; `curve` is that of the overview, by day",
        query={**_DAYS, "show": "curve: which number"}, gives=("image/png",),
    ),
    Operation(
        "/security", ("GET",), "Networks that spiked, for the security officer", token="throng security",
    ),
    Operation("/health", ("GET",), "Whether this process answers"),
)  # fmt: skip


def document() -> dict[str, Any]:
    """The whole, as OpenAPI 3.1 has it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Throng",
            "version": "1",
            "description": "Released tables about the crowd: no row is about fewer people than a group.",
        },
        "paths": {
            one.path: {method.lower(): _operation(one, method) for method in one.methods}
            for one in OPERATIONS
        },
        "components": {
            "schemas": {"Error": _ERROR, "Answer": _ANSWER},
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "throng_key_…",
                    "description": "an API key, made at /account/keys for some scopes, sites and times a"
                    f" minute: {'; '.join(f'`{name}`, {says}' for name, says in SCOPES.items())}. It asks as"
                    " its owner would.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-throng_XXXXXX",
                    "description": "somebody who has signed in; the last six are the installation's",
                },
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "of a command, for one purpose: the operation says which",
                },
            },
        },
    }


def _operation(one: Operation, method: str) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", one.path)
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    query = dict(one.query)
    if one.asks and method == "GET":
        query = {"q": f"the {one.asks}"} | query
    parameters += [
        {"name": name, "in": "query", "description": says, "schema": {"type": "string"}}
        for name, says in query.items()
    ]
    content = {mime: dict(_TABLES.get(mime, {"schema": {}})) for mime in one.gives}
    if "application/json" in content:
        schema = {"$ref": "#/components/schemas/Answer"} if one.asks else {}
        content["application/json"] = {"schema": schema}
    refused = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    made: dict[str, Any] = {
        "operationId": f"{method.lower()}{one.path.translate(str.maketrans('/.{}', '____'))}",
        "summary": one.summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "the answer", "content": content},
            "default": {"description": "why not, and what to do instead", "content": refused},
        },
    }
    if one.description:
        made["description"] = one.description
    if one.asks and method == "POST":
        asked = {"type": "object", "required": [one.asks], "properties": {one.asks: {"type": "string"}}}
        made["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {"schema": asked},
                "text/plain": {"schema": {"type": "string"}},
            },
        }
    needed = rule(one.path.replace("{", "").replace("}", ""))
    made["security"] = []
    if needed is not None and needed.scope:
        made["security"].append({"key": [needed.scope]})
    if needed is not None and needed.roles is not None:
        made["security"].append({"session": []})
    if one.token:
        made["security"].append({"token": []})
        made["description"] = f"{one.description} Token: {one.token}.".strip()
    return made


async def _answer(request: Request) -> Response:
    return JSONResponse(document())


def routes() -> list[Route]:
    return [Route("/api/openapi.json", _answer, methods=["GET"])]

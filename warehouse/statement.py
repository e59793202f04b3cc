"""What an analyst's statement reads, from DuckDB's own parse tree: released tables, and nothing else.

The database is opened read-only with external access off, which denies files and networks already. This is
the second lock, and the one that teaches: only named tables and functions that make rows out of nothing pass,
so that neither paths nor settings of the machine can be read, and no variable of this process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from functools import cache
from typing import Any

import duckdb

from consent_filter.errors import Refused
from warehouse.extensions import OFFLINE

#: Functions in FROM that make rows from their arguments, or say which tables and functions there are.
_ROWS = {
    "range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree",
    "duckdb_tables", "duckdb_columns", "duckdb_functions", "duckdb_types", "duckdb_keywords",
}  # fmt: skip
#: Views of the catalog that say which tables and columns there are.
_CATALOG = {"tables", "columns"}
#: Functions that tell of the machine, write, or run text as a statement.
_CLOSED = {"current_setting", "getenv", "write_log", "query", "query_table", "json_execute_serialized_sql"}
_SYSTEM = ("duckdb_", "pragma_", "sqlite_", "pg_")
_SHOWN = {"", "tables", "__show_tables_expanded"}
_EXPLAIN = re.compile(r"(?is)\A(?:\s+|--[^\n]*\n|/\*.*?\*/)*explain(?:\s+analyze)?\s+(?=\w|--|/\*)")
_ADVICE = "one SELECT (or FROM, WITH, VALUES, DESCRIBE, SUMMARIZE, SHOW TABLES, EXPLAIN) over released tables"


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """An empty database, locked, that only ever parses: to open one costs ten times what a statement does."""
    closed = {"enable_external_access": "false", "threads": "1", "lock_configuration": "true"}
    return duckdb.connect(":memory:", config={**OFFLINE, **closed})


def permit(sql: str, tables: Collection[str]) -> None:
    """Return where the statement may run on `tables`. Raises Refused with what to write instead."""
    parser = _parser().cursor()
    try:
        try:
            statements = parser.extract_statements(sql)
        except duckdb.PermissionException:  # IMPORT DATABASE reads its file while it is parsed
            raise Refused(
                403, "read_only", "the published tables can only be read: {advice}", advice=_ADVICE
            ) from None
        except duckdb.Error as error:
            raise Refused(400, "bad_query", str(error).strip()) from None
        if len(statements) != 1:
            # PIVOT without its values is two statements to DuckDB.
            if re.search(r"(?i)\bpivot\b", sql):
                raise Refused(
                    400, "one_statement",
                    "one statement at a time; there are {n}; PIVOT needs IN (…) with its values here",
                    n=len(statements),
                )  # fmt: skip
            raise Refused(400, "one_statement", "one statement at a time; there are {n}", n=len(statements))
        text = statements[0].query
        if statements[0].type == duckdb.StatementType.EXPLAIN:
            text = _EXPLAIN.sub("", text, count=1)
        elif statements[0].type != duckdb.StatementType.SELECT:
            raise Refused(403, "read_only", "the published tables can only be read: {advice}", advice=_ADVICE)
        row = parser.execute("SELECT json_serialize_sql(?)", [text]).fetchone()
    finally:
        parser.close()
    tree = json.loads(row[0]) if row else {"error": True}
    if tree["error"]:
        raise Refused(403, "read_only", "this kind of statement is not open here: {advice}", advice=_ADVICE)
    nodes = list(_walk(tree["statements"]))
    named = {entry["key"].lower() for node in nodes for entry in _entries(node)}
    for node in nodes:
        _look(node, named, tables)


def _entries(node: dict[str, Any]) -> list[dict[str, Any]]:
    found = node.get("cte_map")
    return list(found["map"]) if isinstance(found, dict) else []


def _walk(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree. A loop, because a statement may be nested deeper than Python's stack."""
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _look(node: dict[str, Any], named: set[str], tables: Collection[str]) -> None:
    kind = node.get("type")
    if kind == "TABLE_FUNCTION":
        name = str(node["function"].get("function_name", "")).lower()
        if name not in _ROWS:
            raise Refused(
                403,
                "closed",
                "{name}() is closed here: only released tables can be read; FROM reports lists them",
                name=name,
            )
    elif node.get("class") == "FUNCTION":
        name = str(node.get("function_name", "")).lower()
        if name in _CLOSED:
            raise Refused(
                403,
                "closed",
                "{name}() is closed here: it tells of the machine, not of the tables",
                name=name,
            )
    elif kind == "BASE_TABLE":
        name, schema = str(node["table_name"]).lower(), str(node["schema_name"]).lower()
        if schema == "information_schema" and name in _CATALOG:
            return
        known = schema in ("", "main") and (name in tables or name in _ROWS or name in named)
        if not known or (name.startswith(_SYSTEM) and name not in _ROWS):
            near = get_close_matches(name, [*tables, *named], 1)
            if near:
                raise Refused(
                    404, "no_such_table", "there is no released table of that name; did you mean {near}?",
                    near=near[0],
                )  # fmt: skip
            raise Refused(
                404, "no_such_table", "there is no released table of that name; FROM reports lists them"
            )
    elif kind == "SHOW_REF" and str(node["table_name"]).strip('"').lower() not in _SHOWN:
        raise Refused(
            403, "closed", "of the SHOW statements only SHOW TABLES is open; DESCRIBE explains a table"
        )

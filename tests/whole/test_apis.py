"""Both HTTP APIs under requests that their own documents lead to (schemathesis): real servers, bounded.

No answer is a fault of ours, none is of a form or a status that the document does not have, and what was sent
wrong is told so in the one shape of refusals.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from consent_filter.pseudonym import Keyring
from dashboards.api_document import document
from dashboards.app import create
from dashboards.settings import Dashboards
from tests import signed
from tests.dashboards.serving import serving
from tests.ingest.http import api
from tests.ingest.http.wire import SETTINGS
from tests.warehouse.test_explore import HOW, filled
from tests.whole.running import up

CHECKS = [
    *(not_a_server_error, status_code_conformance),
    *(content_type_conformance, response_schema_conformance),
]
#: Requests for each operation and way of making them: as documented, and not.
EACH = 3


def throw(told: dict[str, Any], at: str, head: dict[str, str]) -> int:
    """How many requests were sent; raises at the first answer that should not be."""
    sent = 0
    schema = schemathesis.openapi.from_dict(told)
    for found in schema.get_all_operations():
        operation = found.ok()
        # Of a query nearly everything is text, and right.
        wrong = [GenerationMode.NEGATIVE] if operation.body else []
        for mode in (GenerationMode.POSITIVE, *wrong):

            @seed(1)
            @settings(
                max_examples=EACH, deadline=None, database=None, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(operation.as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:
                nonlocal sent
                answer = case.call(base_url=at, headers=head, allow_redirects=False, timeout=120)
                case.validate_response(answer, checks=CHECKS)
                sent += 1

            with suppress(Unsatisfiable):  # where nothing can be said wrongly
                ask()
    return sent


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    data = filled(tmp_path_factory.mktemp("asked"))
    Keyring.open(data / "keys.json")  # as the collector has made them
    with serving(create(data, Dashboards(), HOW)) as at:
        yield at, signed.head(data)


def test_the_collector_answers_as_it_says(tmp_path: Path) -> None:
    with up(tmp_path / "data", "part", "collector", settings=SETTINGS) as running:
        assert throw(api.document(), f"http://127.0.0.1:{running.port}", {}) > 50
        for method, path, code in (("GET", "/nowhere", "no_such_address"), ("DELETE", "/health", "method")):
            answer = requests.request(method, f"http://127.0.0.1:{running.port}{path}", timeout=60)
            assert answer.json()["error"]["code"] == code
        assert running.answers()
        assert "Traceback" not in running.output.read_text()


def test_the_dashboards_answer_as_they_say(shop: tuple[str, dict[str, str]]) -> None:
    at, head = shop
    assert throw(document(), at, head) > 25


def test_an_answer_that_is_not_in_the_document_is_found(shop: tuple[str, dict[str, str]]) -> None:
    at, head = shop
    told = document()
    told["paths"] = {"/api/sql/tables": told["paths"]["/api/sql/tables"]}
    answers = told["paths"]["/api/sql/tables"]["get"]["responses"]
    answers["200"]["content"]["application/json"]["schema"] = {"type": "string"}
    with pytest.raises(FailureGroup) as found:
        throw(told, at, head)
    assert "violates schema" in str(found.value.exceptions)

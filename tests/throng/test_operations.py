"""What operators are told in machines' forms is whole, and holds nothing of a visitor."""

from __future__ import annotations

import http.server
import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from consent_filter.errors import Misconfigured
from tests.ingest.http.test_fuzz import VALID
from tests.ingest.http.wire import MARK, SETTINGS, Line
from tests.whole.running import ENVIRON, up
from throng import lines, loop, traces
from throng.operations import Operations


def test_a_line_is_an_object_and_half_a_line_waits() -> None:
    to = io.StringIO()
    made = lines.Lines("pipeline", to)
    made.write("half")
    assert to.getvalue() == ""
    made.write(' a line, "quoted"\n\n  and another\nrest')
    made.say(event="pass", seconds=1.5, path=Path("x"))
    said = [json.loads(line) for line in to.getvalue().splitlines()]
    assert [one.get("says") for one in said] == ['half a line, "quoted"', "and another", None]
    assert said[2]["event"] == "pass"
    assert all(one["part"] == "pipeline" and one["at"] > 1.7e9 for one in said)


def test_a_collector_of_lines_says_nothing_of_what_it_was_sent(tmp_path: Path) -> None:
    settings = SETTINGS + '[operations]\nlines = "json"\n'
    with up(tmp_path / "data", "part", "collector", settings=settings) as running:
        for data in VALID:
            with Line(running.port, 0.2) as line, suppress(TimeoutError):
                line.send(data)
                line.rest()
        running.stop()
        text = running.output.read_text()
    assert MARK not in text
    for line in text.splitlines():
        assert json.loads(line)["part"] == "collector"


@contextmanager
def taking() -> Iterator[tuple[str, list[bytes]]]:
    """Whoever collects traces: its address, and what came."""
    came: list[bytes] = []

    class Taker(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", came
    server.shutdown()
    server.server_close()


def test_a_trace_has_stages_and_numbers_and_no_word_of_a_visitor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"host.name={MARK}")

    def broken(data: Path) -> dict[str, object]:
        raise ValueError(f"could not read {MARK}")

    monkeypatch.setattr(loop.jobs, "rights", lambda data: {"open": 3, "said": MARK, "list": [MARK]})
    monkeypatch.setattr(loop.jobs, "facts", broken)
    with taking() as (address, came):
        end = traces.begin(address)
        with pytest.raises(ValueError):
            loop.whole_pass(tmp_path)
        end()
        traces.begin("")
    assert MARK.encode() not in b"".join(came)
    (resource,) = (of for one in came for of in ExportTraceServiceRequest.FromString(one).resource_spans)
    assert {one.key for one in resource.resource.attributes} == {"service.name", "service.version"}
    spans = {one.name: one for scope in resource.scope_spans for one in scope.spans}
    assert spans.keys() == {"pass", "rights", "facts"}
    assert {(one.key, one.value.int_value) for one in spans["rights"].attributes} == {("throng.open", 3)}
    (failure,) = spans["facts"].attributes
    assert failure.key == "throng.failure"
    assert failure.value.string_value.startswith("ValueError")
    assert not spans["facts"].events
    assert spans["rights"].parent_span_id == spans["pass"].span_id


def test_it_is_not_even_imported_while_it_is_off() -> None:
    code = "import sys; from throng import parts, traces; traces.begin('');\nwith traces.span('x'): pass\n"
    code += "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRON)
    assert ran.stdout.strip() == "[]"


def test_a_wrong_form_or_address_is_refused() -> None:
    for wrong in ({"lines": "xml"}, {"traces": "grpc://x"}, {"traces": "http://u:p@x"}):
        with pytest.raises(Misconfigured):
            Operations(**wrong)

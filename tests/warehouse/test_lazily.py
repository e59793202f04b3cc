"""What is loaded when first asked: whole for whoever asks meanwhile, and never by a look at it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from threading import Event
from types import ModuleType, SimpleNamespace

import pytest

from warehouse.lazily import later

#: Seconds until what should not wait is taken to wait for ever.
_PATIENCE = 20.0
#: A module that stops in the middle: a function that needs what comes after it.
_SLOW = """
import lazily_gate
def ask():
    return _ANSWER
lazily_gate.half.set()
lazily_gate.go.wait()
_ANSWER = 42
late = "late"
"""


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Where modules of a test stop: `half` they set, `go` they wait for. And threads that ask for them."""
    threads = ThreadPoolExecutor()
    one = SimpleNamespace(half=Event(), go=Event(), other=Event(), ask=threads.submit)
    monkeypatch.setitem(sys.modules, "lazily_gate", one)  # type: ignore[arg-type]
    monkeypatch.syspath_prepend(tmp_path)
    yield one
    one.go.set()
    one.other.set()
    threads.shutdown(wait=False)
    for name in [name for name in sys.modules if name.startswith("lazily_")]:
        del sys.modules[name]


def _waiting(name: str) -> ModuleType:
    with later((name,)):
        return import_module(name)


def test_nobody_sees_half_of_a_module(gate: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "lazily_slow.py").write_text(_SLOW)
    module = _waiting("lazily_slow")
    first = gate.ask(lambda: module.late)
    assert gate.half.wait(_PATIENCE)
    others = [
        gate.ask(lambda: module.late),
        gate.ask(lambda: module.ask()),  # is there, and is of no use yet
        gate.ask(lambda: import_module("lazily_slow").late),
    ]
    assert "late" not in vars(module)  # a look does not wait
    assert not any(one.done() for one in others)
    gate.go.set()
    assert first.result(_PATIENCE) == "late"
    assert [one.result(_PATIENCE) for one in others] == ["late", 42, "late"]
    assert type(module) is ModuleType


def test_nobody_finds_below_a_package_what_it_is_about_to_need(gate: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "lazily_package").mkdir()
    (tmp_path / "lazily_package" / "__init__.py").write_text(_SLOW)
    (tmp_path / "lazily_package" / "below.py").write_text("from lazily_package import late")
    module = _waiting("lazily_package")
    first = gate.ask(lambda: module.late)
    assert gate.half.wait(_PATIENCE)
    below = gate.ask(import_module, "lazily_package.below")
    gate.go.set()
    assert first.result(_PATIENCE) == below.result(_PATIENCE).late == "late"


def test_threads_that_need_each_others_modules_do_not_wait_for_ever(
    gate: SimpleNamespace, tmp_path: Path
) -> None:
    """As with any two modules that import each other: one of the threads gets what there is."""
    (tmp_path / "lazily_one.py").write_text(
        "import lazily_gate\nearly = 1\nlazily_gate.half.set()\nlazily_gate.other.wait()\nimport lazily_two\n"
    )
    (tmp_path / "lazily_two.py").write_text(
        "import lazily_gate, lazily_one\nlazily_gate.other.set()\nearly = lazily_one.early\n"
    )
    module = _waiting("lazily_one")
    one = gate.ask(lambda: module.early)
    assert gate.half.wait(_PATIENCE)
    two = gate.ask(lambda: import_module("lazily_two").early)
    assert [one.result(_PATIENCE), two.result(_PATIENCE)] == [1, 1]


def test_what_could_not_be_loaded_is_tried_again(gate: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "lazily_faulty.py").write_text(
        "import lazily_gate\nif not lazily_gate.go.is_set():\n    raise OSError\nname = 1\n"
    )
    module = _waiting("lazily_faulty")
    for _ in range(2):
        with pytest.raises(OSError):
            _ = module.name
    gate.go.set()
    assert module.name == 1
    assert not hasattr(module, "other")

"""Great libraries begin without what they import and never use for us, which comes when first asked.

Not when looked at: `importlib.util.LazyLoader` loads at any touch, and Beam, which weighs what a side input
holds (objsize), takes `vars` of every module there is. So each process that had published loaded all of it
with the next reports. Whoever else asks while it comes waits, by the import system's own lock of that module:
it knows of threads that wait for each other's modules, where a lock of ours would have them wait for ever.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib._bootstrap import (  # type: ignore[attr-defined]
    _DeadlockError,
    _get_module_lock,
    _lock_unlock_module,
)
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _Waiting(ModuleType):
    """A module that is loaded when a name that it has not is asked of it: any of its own."""

    def __getattr__(self, name: str) -> object:
        spec = self.__spec__
        assert spec is not None
        lock = _get_module_lock(spec.name)
        try:
            lock.acquire()
        except _DeadlockError:
            # Who loads it waits for what this thread loads: what there is has to do, as in circular imports.
            return ModuleType.__getattribute__(self, name)
        try:
            if type(self) is _Waiting:  # nobody has loaded it meanwhile
                _load(self, spec)
        finally:
            lock.release()
        return getattr(self, name)


class _Loading(ModuleType):
    """A module that a thread is loading. Others wait for it, unless they only look."""

    def __getattribute__(self, name: str) -> object:
        if name not in ("__class__", "__dict__", "__spec__"):
            _lock_unlock_module(ModuleType.__getattribute__(self, "__spec__").name)
        return ModuleType.__getattribute__(self, name)


def _load(module: ModuleType, spec: ModuleSpec) -> None:
    """Whoever calls holds the lock. What can't be loaded waits again, as an import may be tried again."""
    lazy = spec.loader
    assert isinstance(lazy, _Lazy)
    module.__class__ = _Loading
    module.__loader__ = spec.loader = lazy.whole
    if spec.submodule_search_locations is not None:
        module.__path__ = spec.submodule_search_locations
    try:
        lazy.whole.exec_module(module)
    except BaseException:
        module.__loader__ = spec.loader = lazy
        lazy.exec_module(module)
        raise
    module.__class__ = ModuleType


class _Lazy(Loader):
    """Puts off what `whole` loads."""

    def __init__(self, whole: Loader) -> None:
        self.whole = whole

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.whole.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.pop("__path__", None)  # whoever imports what is below it asks for that first
        module.__class__ = _Waiting


class _Later(MetaPathFinder):
    """Finds some as the path does, and puts their loading off; and says of others that they are not here."""

    def __init__(self, names: Collection[str], never: Collection[str]) -> None:
        self._names, self._never = names, never

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in self._never:
            raise ModuleNotFoundError("barred: warehouse/lazily.py", name=name)
        if name not in self._names:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Lazy(spec.loader)
        return spec


@contextmanager
def later(names: Collection[str], never: Collection[str] = ()) -> Iterator[None]:
    """What is imported inside is imported without `names`, which wait for their first use; `never`: what
    imports these at once is told that they are not installed."""
    finder = _Later(names, never)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)

"""Great libraries begin without what they import and never use for us, which comes when first asked.

Not when looked at: `importlib.util.LazyLoader` loads at any touch, and Beam, which weighs what a side input
holds (objsize), takes `vars` of every module there is. So each process that had published loaded all of it
with the next reports. The first to ask may be any thread, but not two at a time.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _Waiting(ModuleType):
    """A module that is loaded when a name that it has not is asked of it: any of its own."""

    def __getattr__(self, name: str) -> object:
        spec = self.__spec__
        assert spec is not None
        assert isinstance(spec.loader, _Lazy)
        self.__class__ = ModuleType  # type: ignore[assignment]
        self.__loader__ = spec.loader = spec.loader.whole
        if spec.submodule_search_locations is not None:
            self.__path__ = spec.submodule_search_locations
        spec.loader.exec_module(self)
        return getattr(self, name)


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

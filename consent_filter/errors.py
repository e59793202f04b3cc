"""The three ways to fail. No message ever holds a visitor's value."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """The caller's doing: a status, a stable code, and a sentence that teaches.

    `code` is snake_case and never changes once published; `message` may. It is English, with `parts` filled
    into the places of `text`; whoever says it in another language (`dashboards/language.py`) needs both.
    """

    def __init__(self, status: int, code: str, text: str, **parts: object) -> None:
        self.text, self.parts = text, parts
        self.message = text.format(**parts) if parts else text
        super().__init__(f"{code}: {self.message}")
        self.status = status
        self.code = code

    def body(self) -> dict[str, Any]:
        """The one error shape: `{"error": {"code", "message"}}`."""
        return {"error": {"code": self.code, "message": self.message}}


class Misconfigured(Exception):
    """A setting is wrong: which key, what it holds, and what would be allowed."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{key} = {value!r}: {allowed}")
        self.key = key
        self.value = value
        self.allowed = allowed


class Broken(Exception):
    """An invariant does not hold: stop, rather than go on with wrong numbers."""

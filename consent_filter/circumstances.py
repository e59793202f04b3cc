"""How a choice came about: where it was made, in which language, over which text, under which policy."""

from __future__ import annotations

import re

from msgspec import Struct

from consent_filter.errors import Refused

#: Where a choice is made. `officer`: entered for somebody by the operator's own people.
SURFACES = ("banner", "panel", "account", "api", "officer", "unsubscribe")
#: BCP 47: language, script, region, at most two variants; extensions and private use could say anything.
_LOCALE = re.compile(
    r"[a-z]{2,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?(?:-(?:[a-z\d]{5,8}|\d[a-z\d]{3})){0,2}",
    re.IGNORECASE | re.ASCII,
)
#: The name of a text and, behind a slash, its version.
_WORDING = re.compile(r"[A-Za-z\d][\w.-]{0,47}(?:/[A-Za-z\d][\w.-]{0,15})?", re.ASCII)
_POLICY = re.compile(r"[\w./-]{1,128}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}")
_REGIME = re.compile(r"[\w.-]{1,64}", re.ASCII)


class Circumstances(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is recorded of a choice besides purposes, source and time; None is unknown.

    surface: one of SURFACES. locale: language of the text that was shown. wording: which text, and which
    version of it. policy: pack and version in force. jurisdiction: country (ISO 3166). regime: the pack's
    rules that hold there. Raises Refused, with the member as its code and never its value.
    """

    surface: str | None = None
    locale: str | None = None
    wording: str | None = None
    policy: str | None = None
    jurisdiction: str | None = None
    regime: str | None = None

    def __post_init__(self) -> None:
        if self.surface is not None and self.surface not in SURFACES:
            raise Refused(400, "surface", f"surface is one of {', '.join(SURFACES)}")
        for name, form, says in (
            ("locale", _LOCALE, "a language tag such as de or pt-BR, without extensions"),
            (
                "wording",
                _WORDING,
                "the name of a text and its version, such as banner/3: letters, digits, .-_",
            ),
            ("policy", _POLICY, "a pack and its version"),
            ("jurisdiction", _COUNTRY, "an ISO 3166 country"),
            ("regime", _REGIME, "a regime of the pack"),
        ):
            text = getattr(self, name)
            if text is not None and not form.fullmatch(text):
                raise Refused(400, name, f"{name} is {says}")

    def names(self, id: str) -> bool:
        """Whether a text that a page sent holds that id: then it is no text's name."""
        id = id.casefold()
        for text in filter(None, (self.locale, self.wording)):
            text = text.casefold()
            if id == text or id in re.split(r"[/-]", text) or (len(id) >= 6 and id in text):
                return True
        return False


UNKNOWN = Circumstances()

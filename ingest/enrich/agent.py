"""The user agent and its client hints, understood once for each distinct one and then forgotten (M24)."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

from ua_parser import Parser, load_builtins
from ua_parser.regex import Resolver
from user_agents.parsers import UserAgent, parse_browser, parse_device, parse_operating_system

from consent_filter.raw import Agent
from ingest.enrich.oddness import odd
from ingest.enrich.robots import robot
from ingest.request import UNSEEN

#: agent, (Sec-CH-UA, Sec-CH-UA-Mobile, Sec-CH-UA-Platform), Sec-Purpose: the values of `Raw.agent`.
Said = tuple[str, tuple[str, str, str], str | None]

_LONGEST = 1024
_BRAND = re.compile(r'"((?:[^"\\]|\\.){1,60})"\s*;\s*v\s*=\s*"(\d{1,5})')
#: Brands of Chromium's makers by the family that ua-parser names. Others ("Not:A-Brand") mean nothing.
_BRANDS = {
    "Google Chrome": "Chrome",
    "Microsoft Edge": "Edge",
    "Opera": "Opera",
    "Opera GX": "Opera",
    "Brave": "Brave",
    "Samsung Internet": "Samsung Internet",
    "Vivaldi": "Vivaldi",
    "YaBrowser": "Yandex Browser",
    "Yandex": "Yandex Browser",
    "DuckDuckGo": "DuckDuckGo",
    "HeadlessChrome": "HeadlessChrome",
}
_PLATFORMS = {"Windows": "Windows", "macOS": "Mac OS X", "Android": "Android", "Linux": "Linux", "iOS": "iOS"}
_PLATFORMS |= {"Chrome OS": "Chrome OS", "Chromium OS": "Chrome OS"}
#: Families that are named; any other is "Other". A rare name would tell its user apart from all others, and
#: any text could stand in it (M30).
BROWSERS = frozenset((*_BRANDS.values(), *(
    "Chrome", "Chrome Mobile", "Chrome Mobile iOS", "Chrome Mobile WebView", "Safari", "Mobile Safari",
    "Mobile Safari UI/WKWebView", "Firefox", "Firefox Mobile", "Firefox iOS", "Edge", "Edge Mobile",
    "Opera", "Opera Mobile", "Opera Mini", "Samsung Internet", "UC Browser", "IE", "Android", "Chromium",
    "Facebook", "Instagram",
)))  # fmt: skip
SYSTEMS = frozenset((*_PLATFORMS.values(), "Ubuntu", "Tizen", "WebOS", "KaiOS"))
OTHER = "Other"
#: Browsers freeze these, so the number says nothing (Chrome's and Safari's reduced user agents).
_FROZEN = {("Windows", "10"), ("Mac OS X", "10"), ("Android", "10")}
_TV = re.compile(
    r"smart-?tv|hbbtv|apple ?tv|googletv|android tv|bravia|netcast|roku|\baft[a-z]{1,3}\b|web0s|tizen.*tv",
    re.I,
)
_CONSOLE = re.compile(r"playstation|xbox|nintendo", re.I)


@cache
def _parser() -> Parser:
    """One for the process: making it takes 0.2 s, and it remembers nothing."""
    return Parser(Resolver(load_builtins()))


class _Fast(UserAgent):
    """`user_agents.UserAgent` on ua-parser's Rust resolver: the same answers, 17 times as fast."""

    def __init__(self, agent: str, found: Any) -> None:
        browser, system, device = found.user_agent, found.os, found.device
        self.ua_string = agent
        self.browser = (
            parse_browser(browser.family, browser.major, browser.minor, browser.patch, browser.patch_minor)
            if browser
            else parse_browser("Other")
        )
        self.os = (
            parse_operating_system(
                system.family, system.major, system.minor, system.patch, system.patch_minor
            )
            if system
            else parse_operating_system("Other")
        )
        self.device = (
            parse_device(device.family, device.brand, device.model)
            if device
            else parse_device("Other", None, None)
        )


class Hints(NamedTuple):
    """What the client hints say, None where they say nothing."""

    browser: str | None
    version: str | None
    mobile: bool | None
    platform: str | None


def hints(said: tuple[str, str, str]) -> Hints:
    """The three low-entropy hints. The brands come shuffled and one is invented; neither matters."""
    brands, mobile, platform = said
    found = {_BRANDS[name]: version for name, version in _BRAND.findall(brands[:_LONGEST]) if name in _BRANDS}
    browser = next((name for name in found if name != "Chrome"), "Chrome" if found else None)
    return Hints(
        browser,
        found.get(browser) if browser else None,
        {"?1": True, "?0": False}.get(mobile.strip()),
        _PLATFORMS.get(platform.strip().strip('"')),
    )


class Agents:
    """Understands agents, and remembers the last ones in memory; nothing of an agent is ever written."""

    def __init__(self, remembered: int = 16_384) -> None:
        self._parser = _parser()
        self._remembered = remembered
        self.known: dict[Said, Agent] = {}
        # Patterns are compiled on first use, which takes a second that no visitor should wait.
        self.look(
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", ("", "", ""), None)
        )

    def look(self, said: Said) -> Agent:
        """Browser, operating system, device class, and whether it is a program and why."""
        found = self.known.get(said)
        if found is None:
            if len(self.known) >= self._remembered:
                self.known.clear()
            found = self._understand(said)
            if len(said[0]) <= _LONGEST:
                self.known[said] = found
        return found

    def read(self, agent: str) -> UserAgent:
        """The agent alone, as `user_agents.parse` would have it."""
        return _Fast(agent, self._parser.parse(agent))

    def _understand(self, said: Said) -> Agent:
        if said == UNSEEN:
            return Agent(None, None, None, None, "other")
        # The Rust resolver takes UTF-8 only, and an imported log may hold any bytes.
        agent = said[0][:_LONGEST].encode("utf-8", "replace").decode()
        sent, purpose = hints(said[1]), said[2]
        read = self.read(agent)
        why = robot(agent, purpose, lambda: bool(read.is_bot))
        if why is None and sent.browser == "HeadlessChrome":
            why = "headless"  # the agent may be dressed up; the hint is not
        browser, version = _named(read.browser.family), _major(read.browser)
        if sent.browser:
            browser, version = sent.browser, sent.version
            if sent.browser == "Chrome" and sent.mobile:
                browser = "Chrome Mobile"
        system, release = _named(read.os.family), _major(read.os)
        if sent.platform and sent.platform != system:
            system, release = sent.platform, None
        if system and release and (system, release) in _FROZEN:
            release = None
        device = _device(agent, read, sent)
        if browser and browser not in BROWSERS:
            browser, version = OTHER, None
        if system and system not in SYSTEMS:
            system, release = OTHER, None
        bits = 0 if why else self._odd(agent, said[1], read, sent)
        return Agent(browser, version, system, release, device, why, bits)

    def _odd(self, agent: str, said: tuple[str, str, str], read: UserAgent, sent: Hints) -> int:
        brands = said[0][:_LONGEST]
        own = (v for name, v in _BRAND.findall(brands) if name in ("Chromium", "Google Chrome"))
        family, system = _named(read.browser.family), _named(read.os.family)
        return odd(agent, family, system, brands, next(own, None), sent.mobile, sent.platform)


def _named(family: str) -> str | None:
    return None if family == "Other" else family


def _major(product: Any) -> str | None:
    """The major version; Windows has names ("XP", "8.1") where others count."""
    if product.family == "Windows":
        return product.version_string or None
    return str(product.version[0]) if product.version else None


def _device(agent: str, read: UserAgent, sent: Hints) -> str:
    """desktop, mobile, tablet, tv, console or other."""
    if _CONSOLE.search(agent):
        return "console"
    if _TV.search(agent):
        return "tv"
    if read.is_tablet:
        return "tablet"
    if sent.mobile or read.is_mobile:
        return "mobile"
    return "desktop" if read.is_pc or sent.mobile is False else "other"

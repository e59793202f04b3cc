"""What the demo marketplace has on offer: made up, and the same every time."""

from __future__ import annotations

from typing import NamedTuple


class Project(NamedTuple):
    number: int
    title: str
    skill: str
    budget: int
    text: str


class Freelancer(NamedTuple):
    name: str
    shown: str
    skill: str
    rate: int
    text: str


class Advert(NamedTuple):
    slot: str
    campaign: str
    creative: str
    line: str
    wide: bool


_WORK = (
    ("A shop's checkout in three languages", "web", 2400),
    ("Logo and letterhead for a bakery", "design", 450),
    ("Translate a manual, German to Polish", "translation", 780),
    ("Move ten years of invoices into one table", "data", 600),
    ("Illustrations for a children's book", "design", 1900),
    ("A booking page for two tennis courts", "web", 950),
    ("Subtitle twelve lectures", "translation", 1100),
    ("Clean addresses of a choir's members", "data", 180),
    ("An app that reads meters", "mobile", 5200),
    ("Rewrite product texts, without adjectives", "writing", 320),
    ("Photograph forty chairs", "photo", 1250),
    ("A newsletter that people do not delete", "writing", 540),
    ("Repair a spreadsheet nobody dares to touch", "data", 400),
    ("Map of a hiking region", "design", 1600),
    ("A timetable for a village bus", "web", 700),
    ("Voice for a museum guide", "audio", 820),
)
PROJECTS = tuple(
    Project(
        i,
        title,
        skill,
        budget,
        "The client knows what is wanted and answers within a day. Payment is held until both agree.",
    )
    for i, (title, skill, budget) in enumerate(_WORK, 101)
)
FREELANCERS = tuple(
    Freelancer(name, shown, skill, rate, "Small teams, clear questions, work that is handed over whole.")
    for name, shown, skill, rate in (
        ("amara", "Amara O.", "web", 65),
        ("bruno", "Bruno K.", "design", 48),
        ("chiyo", "Chiyo T.", "translation", 40),
        ("davit", "Davit M.", "data", 55),
        ("elif", "Elif S.", "mobile", 70),
        ("farid", "Farid N.", "writing", 38),
        ("greta", "Greta L.", "photo", 60),
        ("hugo", "Hugo P.", "audio", 45),
    )
)
SKILLS = tuple(dict.fromkeys(project.skill for project in PROJECTS))
ADVERTS = (
    Advert("top", "autumn-tools", "tools-a", "Tools for people who work alone. Thirty days free.", True),
    Advert("side", "ledger", "ledger-b", "Bookkeeping on Fridays only.", False),
    Advert("foot", "coworking", "desk-c", "A desk, a door, a plant. From 9 a day.", True),
)

"""What a pack says about its numbers: how to read them, how they were made, and how they are checked."""

from __future__ import annotations

from itertools import chain

from consent_filter.counts import REASONS
from dashboards.packs import reading
from dashboards.packs.story import Chapter, Story
from warehouse.draft import Table

_KEPT = "kept, as people allowed it"


def front(story: Story) -> list[str]:
    """What this is, for whom."""
    sites = ", ".join(story.draft.sites)
    said = [
        f"These are figures about the crowd that used {sites}, {reading.days(story.period)}. They are"
        f" made from what"
        " people allowed to be measured, and none of them, alone or together with others of this pack, says"
        " anything about one person: each carries noise that hides any single one.",
    ]
    if story.given is None:
        said.append("This is a preview for whoever approves the release. It is not to be given to anyone.")
    else:
        said.append(
            f"Given to {story.called} under the terms {story.given.terms}. {story.given.permitted_use}"
        )
    if story.version > 1:
        said.append(f"This is version {story.version}. What it mends: {story.revisions[-1].why}")
    return said


def terms(story: Story) -> str:
    """For whom and what for: on every page, and in every file that people read (M91)."""
    if story.given is None:
        return "A preview for whoever approves it; not to be given away."
    return f"For {story.called} under the terms {story.given.terms}: {story.given.permitted_use}"


def how(story: Story) -> list[tuple[str, str]]:
    """For people who are no statisticians."""
    first = next((row for one in story.chapters for row in one.rows if row.numbers), None)
    seen = first.numbers[0] if first else None
    example = f"{seen.n:,} ({reading.interval(seen)})" if seen else "51,200 (51,100 to 51,300)"
    of = round(20 * story.draft.confidence)
    return [
        ("A number is not exact, and says by how much",
         f"Where it says {example}, the first is our best figure. The two behind it are an interval: the"
         f" exact count"
         f" lies within it in {of} of 20 cases ({story.percent}). In the plots it is the thin line at the"
         f" end of"
         " a bar."),
        ("Why there is noise",
         "So that nobody can be found. We add a random amount, drawn once, that is larger than what any"
         " one person"
         " can add to a figure. Whoever knows everything about everyone else still cannot tell whether"
         " somebody"
         " is in it. For large groups it hardly shows; for small ones it does, and the interval says so."),
        ("Do not expect parts to add up",
         "Each figure has its own noise, so that parts and their total differ by about as much as their"
         " intervals"
         " are wide. And people who use a phone and a computer are in both rows, but once in the total."),
        ("What is missing",
         f"Rows about few people ({_least(story)}) are not shown. A dash, or a row that is not there, is"
         f" not a"
         " zero. Whoever refused to be measured is in none of these figures."),
        ("When is a change a change",
         "Only where the intervals of the two years do not overlap is a change given, in percent. Else it"
         " says “no clear"
         " change”: the noise alone could have made it."),
        ("Who is one person",
         "Somebody who allowed an identifier is one person, however often they came. Who allowed none"
         " cannot be known"
         " again on the next day, and is one on each day. Do not compare these counts with those of a"
         " system that"
         " counts otherwise."),
    ]  # fmt: skip


def _least(story: Story) -> str:
    least = sorted({table.least for table in story.draft.tables})
    return (
        f"fewer than {least[0]}"
        if len(least) == 1
        else f"fewer than {least[0]} to {least[-1]}"
        if least
        else "a few"
    )


def head(story: Story, chapter: Chapter) -> str:
    """What a chapter is called: with its site where there are several."""
    return f"{chapter.table.title}, {chapter.site}" if len(story.draft.sites) > 1 else chapter.table.title


def legend(chapter: Chapter) -> str:
    """What is what in the plots."""
    kinds = {plot.kind for plot in chapter.plots}
    said = []
    if "time" in kinds:
        said.append("Filled: this period." + (" Hatched: a year before." if chapter.compared else ""))
    if "bars" in kinds and chapter.compared:
        said.append("Hatched: a year before.")
    if kinds & {"time", "bars"}:
        said.append("Thin line: the interval that holds the exact number.")
    if "matrix" in kinds:
        said.append("The darker, the more people; intervals are in the table.")
    return " ".join(said)


def held_back(table: Table) -> str:
    """What is not shown of it, and for whom it stands."""
    few = f"Each row is about {table.least} people or more. "
    if table.held_back is None:
        return (
            few
            + f"{table.rows} rows; how many are held back is not told, as nobody knows which there could be."
        )
    if not table.held_back:
        return few + f"{table.rows} rows; none is held back."
    could = table.rows + table.held_back
    return (
        few
        + f"{table.rows} of {could:,} rows that could be are shown; the others are about fewer, or nobody."
    )


def method(story: Story) -> list[str]:
    """How the numbers were made."""
    clauses = [_clauses(table) for table in story.draft.tables]
    shared = [one for one in dict.fromkeys(chain.from_iterable(clauses)) if _shared(one, clauses)]
    total = sum(table.rho for table in story.draft.tables)
    return [
        "Whatever one person adds is capped before anything is counted: to so many rows of a table, and"
        " to so much in"
        " each. The noise is as large as that cap needs, so that what a person has done, all of it, is"
        " hidden.",
        *([f"Of all tables: {'; '.join(shared)}."] if shared else []),
        f"All tables together cost {total:.4g} of the budget of zero-concentrated differential privacy"
        f" (ρ); every"
        " release for anyone outside draws on the same budget, month by month, and none is made once it"
        " is spent.",
        "If people whose events are counted here later withdraw or are erased, these figures stand: they"
        " say nothing about"
        " any one of them. If a figure was wrong, a new version says why, and who was given this one is"
        " told.",
    ]


def _clauses(table: Table) -> list[str]:
    return [one for one in table.method.rstrip(".").split("; ") if one]


def _shared(clause: str, of: list[list[str]]) -> bool:
    """Whether it is said of most tables: then it is said once."""
    return 2 * sum(clause in one for one in of) > len(of) > 1


def _own(story: Story) -> list[list[str]]:
    """What is said of each table alone."""
    clauses = [_clauses(table) for table in story.draft.tables]
    own = [[one for one in some if not _shared(one, clauses)] for some in clauses]
    return [[t.title, f"{'; '.join(some)}."] for t, some in zip(story.draft.tables, own, strict=True) if some]


def tables(story: Story) -> list[tuple[str, list[str], list[list[str]]]]:
    """What belongs to the method, as tables: title, columns, rows."""
    draft = story.draft
    made: list[tuple[str, list[str], list[list[str]]]] = [
        (
            "Definitions, and the noise of each figure",
            ["table", "figure", "what it is", "one person adds at most", "in rows", "noise (std. dev.)",
             "lost to the cap"],
            [
                [table.title, reading.column(one.name), one.says, f"{one.most:,}", f"{table.cells:,}",
                 f"{one.scale:,.1f}", f"{100 * one.clipped:.2f} %"]
                for table in draft.tables for one in table.numbers
            ],
        ),
        ("How each table was made", ["table", "method"], _own(story)),
        (
            "What each table cost, and what it does not show",
            ["table", "purpose", "fewest people", "rows", "held back", "ρ", "δ"],
            [
                [table.title, table.purpose.replace("_", " "), f"{table.least}", f"{table.rows:,}",
                 "not told" if table.held_back is None else f"{table.held_back:,}",
                 f"{table.rho:.4g}", f"{table.delta:.2g}"]
                for table in draft.tables
            ],
        ),
    ]  # fmt: skip
    mix = []
    for site, found in sorted(draft.mix.items()):
        whole = sum(found.values()) or 1
        for treatment, n in sorted(found.items()):
            says = _KEPT if treatment == "stored" else f"{treatment}: {REASONS.get(treatment, 'refused')}"
            mix.append([site, says, f"{n:,}", f"{100 * n / whole:.1f} %"])
    if mix:
        made.append(
            ("Consent: what became of the period's events", ["site", "events", "number", "share"], mix)
        )
    said = [[site, ", ".join(versions)] for site, versions in sorted(draft.policies.items())]
    if said:
        made.append(("Policies that judged the events", ["site", "policy and version"], said))
    if story.grounds:
        ways = [
            [g.site, f"{g.origin or 'no named region'} → {g.to}", g.mechanism, g.until or "open"]
            for g in story.grounds
        ]
        made.append(("On what they may be read there", ["site", "way", "mechanism", "until"], ways))
    if story.revisions:
        made.append((
            "Versions",
            ["version", "of", "draft (SHA-256)", "why"],
            [[str(one.version), reading.moment(one.at / 1000), one.draft[:16] + "…", one.why or "the first"]
             for one in story.revisions],
        ))  # fmt: skip
    return [one for one in made if one[2]]


def checked(story: Story) -> list[str]:
    """How somebody without us checks it."""
    key = (
        f" The key has the thumbprint {story.key}; compare it with what you were given." if story.key else ""
    )
    compared = [f"The year before is release {story.compared['release']} (draft"
                f" {story.compared['draft'][:16]}…)."
                ] if story.compared else []  # fmt: skip
    return [
        "The pack has a manifest, manifest.json, which names every file by the SHA-256 of its bytes and"
        " is signed (Ed25519)."
        " The command “throng release verify PACK --key KEY” checks it without network: any byte that is"
        " not as it was"
        " signed, any file missing, swapped or added is found, and named." + key,
        f"Drafted {reading.moment(story.draft.made_at)} as {story.draft.id}. The same draft renders to"
        f" the same bytes.",
        *compared,
    ]

"""`make languages`: brings every catalogue up to date with the words of pages, and says how much it lacks.

    python -m dashboards.languages [--check]

With `--check` nothing is written: it ends with 1 where a catalogue is not up to date.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from dashboards.language import FOLDER
from dashboards.languages import LANGUAGES
from dashboards.languages.gather import catalogue

#: Every language but the one that stands in the code.
TRANSLATED = [tag for tag in LANGUAGES if tag != "en"]


def updated(tag: str, words: Catalog) -> Catalog:
    """The catalogue of a language with exactly these words; what is said no more is left out."""
    file = FOLDER / f"{tag}.po"
    found = Catalog(locale=tag)
    if file.exists():
        with file.open("rb") as old:
            found = read_po(old, locale=tag)
    found.update(words, no_fuzzy_matching=True)
    found.obsolete.clear()
    return found


def text(found: Catalog) -> bytes:
    """As it is kept: nothing in it changes but words."""
    out = io.BytesIO()
    write_po(out, found, width=0, omit_header=True, sort_output=True, include_lineno=False)
    plural = f'"Plural-Forms: {found.plural_forms}\\n"\n'
    head = f'msgid ""\nmsgstr ""\n"Language: {found.locale}\\n"\n{plural}'
    kind = '"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    return (head + kind).encode() + out.getvalue()


def lacking(found: Catalog) -> list[str]:
    """The words that it does not have yet, which stay English."""
    return [
        one.id if isinstance(one.id, str) else one.id[0]
        for one in found
        if one.id and not (all(one.string) if isinstance(one.string, tuple | list) else one.string)
    ]


def main(arguments: list[str]) -> int:
    words, late = catalogue(), 0
    for tag in TRANSLATED:
        found, file = updated(tag, words), Path(FOLDER / f"{tag}.po")
        made, lacks, of = text(found), len(lacking(found)), len(found)
        if not file.exists() or file.read_bytes() != made:
            late += 1
            if "--check" not in arguments:
                file.write_bytes(made)
        print(f"{tag}: {of - lacks} of {of} said in {LANGUAGES[tag]}, {lacks} stay English")
    return 1 if late and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

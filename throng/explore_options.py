"""The options and the manual of `throng explore`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from throng import actions

MANUAL = """\
  throng explore "people, views by country where path = '/projects' from 2026-09-01 to 2026-09-30"
  throng explore "views by week, device last 90 days"
  throng explore "people, visits by utm_campaign where referrer_group in ('mail', 'social') and site = 'shop'"

Counted from facts and released as every report is: rows of too few people are one row, (other). Of days that
are over and published. The same question has the same answer. docs/explore.md has the whole language.
"""


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """`command`: makes one, of a name, a sentence and what stands at its end."""
    one = command("explore", "a question about the crowd, answered from facts with released rows", MANUAL)
    one.add_argument("question", metavar="QUESTION", help="as below, in one word of the shell")
    actions.form(one, ("table", "csv", "json", "arrow", "parquet"))

"""`throng explain`: what would become of a request, and because of which rule. Nothing is stored."""

from __future__ import annotations

import json
import sys
from argparse import Namespace

from consent_filter.errors import Refused
from consent_filter.explain import Explainer
from ingest.enrich.place import Places
from throng.settings import load


def main(arguments: Namespace) -> int:
    """A line that cannot be read gets an error line of its own, and the exit code 1 at the end."""
    settings = load(arguments.data)
    places = Places.open(settings.ingest.geo or None, settings.ingest.networks)
    explain = Explainer.open(arguments.data, settings.site, places.look)
    wrong = 0
    for line in sys.stdin.buffer:
        if not line.strip():
            continue
        try:
            said = explain.line(line)
        except Refused as error:
            wrong, said = 1, error.body()
        print(json.dumps(said), flush=True)
    return wrong

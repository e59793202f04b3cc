"""Every way out of the house, named: what is in none of these tables fails until somebody says what it gives.

Rows about people may leave to those people themselves, on request. To all others leave groups only (M89):
pages over what is published, and packs that `warehouse/egress.py` has looked at.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_walls import ROOT, imported, modules

#: Libraries that talk to the world → the modules that may.
TALK = {
    "smtplib": {"consent_filter/rights/mail.py"},  # codes and news to whom a request is of; notices of recall
    "http.client": {
        "throng/up.py",
        "throng/demo/crowd.py",  # asks our own parts whether they are ready
        "dashboards/accounts/issuer.py",  # asks the issuer that is configured, and nobody else
        "warehouse/bucket.py",  # the storage of facts that is configured
    },
    "kafka": {
        "ingest/log/cluster.py",
        "ingest/log/kafka.py",
        "ingest/log/topic.py",
        "ingest/log/words.py",
    },  # the broker that is configured
    # Tries a port; packs an address into bytes; asks the broker, and the job server, that are configured.
    "socket": {"throng/up.py", "ingest/enrich/place.py", "ingest/log/cluster.py", "pipelines/options.py"},
}
#: And those that nobody may use.
SILENT = (
    "urllib.request", "ftplib", "telnetlib", "xmlrpc", "imaplib", "poplib", "requests", "httpx", "aiohttp",
    "urllib3", "websockets", "paramiko", "boto3", "google.cloud", "azure", "socketserver", "http.server",
    "multiprocessing.connection",
)  # fmt: skip
#: What pages may take from the warehouse: what was published or released, and what is said of it.
PAGES_READ = {
    "everyone", "totals", "perturbation", "release",  # bounds of published totals, and of noise
    "catalogue", "catalogue_file", "catalogue_import", "catalogue_rows",  # the operator's own list
    "pacing", "frequency", "advert_settings",  # published groups, and goals of nobody
    "shapley", "incrementality", "paths", "readout",  # reckoned from published groups, and words of these
    "askable", "question", "enquiry", "funnel",  # a question as text; what comes back is released
    "analyst", "answer", "checks", "deliveries", "draft", "grounds", "link", "meaning", "outward", "own_rows",
    "exits", "pack", "period", "query", "reader", "recipient", "release_settings", "report", "settings",
    "shelf", "snapshot",
}  # fmt: skip
#: Where a file is handed to a browser as it lies on the disk: our own style and images.
HANDED = {"dashboards/app.py", "throng/demo/site.py"}
#: Pages → what they give.
GIVES = {
    "dashboards": {
        "/": "published groups", "/report/{name:str}": "published groups",
        "/attribution": "published groups",
        "/sources": "published groups", "/pages": "published groups", "/audience": "published groups",
        "/events": "published groups", "/deals": "published groups", "/consent": "published groups",
        "/live": "published groups", "/returning": "published groups",
        "/funnels": "published groups, and drawn numbers from an account",
        "/funnels/own.csv": "drawn numbers from an account",
        "/experiments": "published groups", "/speed": "published groups",
        "/journeys": "released groups", "/panel/{name:str}": "published groups, or released under a filter",
        "/csv/{name:str}.csv": "published groups", "/quality": "what was checked",
        "/adverts": "published groups", "/segments/{site:str}": "published groups, to who has the key",
        "/sql": "published groups", "/sql/saved": "where what was kept is", "/api/sql": "published groups",
        "/api/sql/tables": "words",
        "/explore": "released groups", "/explore/saved": "where what was kept is",
        "/api/explore": "released groups", "/api/explore/words": "words", "/api/openapi.json": "words",
        "/files/{name:str}.xlsx": "published groups", "/files/{name:str}.parquet": "published groups",
        "/files/{name:str}.png": "published groups",
        "/views": "addresses of pages, under names", "/views/{id:str}": "where a page is",
        "/alerts": "published groups, to who has asked to be told", "/mails": "which views are mailed to one",
        "/mails/stop/{word:str}": "nothing",
        "/notes": "what somebody of the house wrote on a day",
        "/shares": "links, to who has made them",
        "/shared/{word:str}": "published groups of fifty people and more, by a link",
        "/shared/{word:str}/{name:str}.csv": "published groups of fifty people and more, by a link",
        "/unlock/{word:str}": "where a link leads whose password was said",
        "/about": "words", "/about-numbers": "words",
        "/health": "alive", "/favicon.ico": "our icon", "/static": "our style",
        "/sign-in": "a session", "/sign-in/second": "a session", "/sign-out": "nothing",
        "/enter/{word:str}": "a session", "/account": "one's own account",
        "/account/second": "one's own account",
        "/sign-in/passkey": "a session", "/sign-in/elsewhere": "where the issuer is",
        "/sign-in/back": "a session", "/account/passkeys": "one's own account",
        "/account/keys": "a key, once", "/accounts": "accounts, to an administrator",
        "/accounts/{id:str}": "an account, to an administrator",
        "/log": "who read what, never what was read",
        "/security": "networks that spiked, by a hash of the day, to the security officer",
        "/mine": "what is an advertiser's or a recipient's own", "/mine/adverts/{name:str}": "a link to it",
        "/mine/packs/{name:str}": "a link to it",
        "/packs/{word:str}": "what a pack is",
        "/advertiser/{word:str}": "an advertiser's own published groups",
        "/partner/{word:str}": "a partner's own published groups",
        "/partner/{word:str}/{name:str}.csv": "a partner's own published groups",
        "/advertiser/{word:str}/{name:str}.csv": "an advertiser's own published groups",
        "/packs/{word:str}/pack.zip": "a pack, to whom it was delivered",
        "/api/adverts": "the operator's list of campaigns, to who has a token",
        "/api/adverts/editions": "who changed it when, likewise",
        "/console": "requests, to an officer", "/console/new": "a form",
        "/console/statistics": "counts of requests",
        "/console/request/{id:str}": "one request, to an officer",
        "/console/request/{id:str}/answer": "one's own data, to an officer who posts it",
    },
    "ingest": {
        "/": "words", "/privacy": "our panel", "/privacy/status": "the policy in force", "/health": "alive",
        "/ad/go": "where a signed click leads",
        "/metrics": "counts", "/consent/key": "a public key", "/consent": "one's own word",
        "/preferences": "one's own word", "/acknowledgement": "one's own word",
        "/unsubscribe": "nothing", "/unsubscribe/{token:path}": "nothing", "/rights": "a number",
        "/rights/{request}": "one's own request", "/rights/{request}/answer": "one's own data",
        "/rights/{request}/proof": "nothing", "/rights/{request}/code": "nothing",
        "/rights/{request}/confirm": "nothing", "/.well-known/gpc.json": "the policy in force",
    },
}  # fmt: skip


def sources() -> Iterator[tuple[str, Path]]:
    for path in modules():
        yield str(path.relative_to(ROOT)), path


@pytest.mark.requirement("M89")
def test_nobody_else_talks_to_the_world() -> None:
    found = {
        (where, library)
        for where, path in sources()
        for name in imported(path)
        for library in (*TALK, *SILENT)
        if f"{name}.".startswith(f"{library}.")
    }
    assert found == {(where, library) for library, some in TALK.items() for where in some}


@pytest.mark.requirement("M89")
def test_pages_read_groups_and_never_rows() -> None:
    for where, path in sources():
        if where.startswith("dashboards/"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "warehouse":
                    parts = (node.module or "").split(".")
                    names = parts[1:2] or [alias.name for alias in node.names]
                    assert set(names) <= PAGES_READ, f"{where} reads {names}: is it about groups only?"


@pytest.mark.requirement("M89")
def test_every_page_has_said_what_it_gives() -> None:
    for room, gives in GIVES.items():
        found = {
            node.args[0].value
            for where, path in sources()
            if where.startswith(f"{room}/")
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("Route", "Mount")
            if node.args and isinstance(node.args[0], ast.Constant)
        }
        assert found == gives.keys(), f"{room}: say in GIVES what {found ^ gives.keys()} gives"


@pytest.mark.requirement("M89")
def test_no_file_is_handed_out_as_it_lies_but_our_own() -> None:
    found = set()
    for where, path in sources():
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        if names & {"FileResponse", "StaticFiles", "StreamingResponse", "sendfile"}:
            found.add(where)
    assert found == HANDED

"""What becomes of a line of the combined format, told the plain way: by splitting it at its quotes."""

from __future__ import annotations

from datetime import datetime

#: What the real log has of files that are no pages.
FILES = (
    ".png .css .ico .jpg .js .txt .gif .jar .ttf .pdf .xml .log .svg .xsl .conf .exe .c .gz .sh .tex .jpeg "
    ".deb .woff .swf .spec .pyc .patch .doc .otf .eot .md .json .bz2 .tgz .h .rpm .zip .mp4 .cpp .java .diff"
)


def verdict(line: str) -> str | tuple[str, int, str, str]:
    """Why the line is no page view, or (address, UTC milliseconds, path with query, agent)."""
    parts = line.replace('\\"', "\0").split('"')
    if len(parts) != 7:
        return "malformed"
    before, request, answer, _, _, agent, _ = parts
    words = request.split(" ")
    if words[0] != "GET":
        return "request"
    status = int(answer.split()[0])
    if status // 100 != 2 and status != 304:
        return "status"
    url = words[1]
    path = url.split("?")[0].lower()
    query = url.split("?")[1].lower() if "?" in url else ""
    if path.endswith("/robots.txt") or "sitemap" in path:
        return "machine"
    if query.split("&")[0] in ("flav=rss20", "flav=atom") or path.endswith(
        ("/feed", ".rss", ".atom", ".rdf")
    ):
        return "feed"
    if any(path.endswith(kind) for kind in FILES.split()):
        return "asset"
    stamp = before[before.index("[") + 1 : before.index("]")]
    moment = datetime.strptime(stamp, "%d/%b/%Y:%H:%M:%S %z")
    agent = "" if agent == "-" else agent.replace("\0", '"')
    return before.split(" ")[0], int(moment.timestamp() * 1000), url, agent

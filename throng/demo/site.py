"""The demo marketplace: ordinary pages on loopback with the real beacon, to try out Throng as a visitor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import uvicorn
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from throng.demo.market import ADVERTS, FREELANCERS, PROJECTS, SKILLS

_HERE = Path(__file__).parent
SITE = "market"


def create(collector: str) -> Starlette:
    """The site, whose pages load the beacon from `collector`."""
    templates = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=select_autoescape())

    def page(name: str, status: int = 200, **more: Any) -> HTMLResponse:
        shown = {advert.slot: advert for advert in ADVERTS}
        text = templates.get_template(name).render(
            collector=collector,
            site=SITE,
            adverts=shown,
            projects=PROJECTS,
            freelancers=FREELANCERS,
            skills=SKILLS,
            **more,
        )
        return HTMLResponse(text, status, {"cache-control": "no-cache"})

    async def home(request: Request) -> Response:
        return page("home.html", title="Work, fairly shared")

    async def listed(request: Request) -> Response:
        skill = request.query_params.get("skill")
        found = [project for project in PROJECTS if skill in (None, project.skill)]
        return page("projects.html", title="Projects", found=found, skill=skill)

    async def project(request: Request) -> Response:
        found = next((p for p in PROJECTS if p.number == request.path_params["number"]), None)
        if found is None:
            return page("missing.html", 404, title="Not here")
        return page("project.html", title=found.title, project=found)

    async def freelancer(request: Request) -> Response:
        found = next((f for f in FREELANCERS if f.name == request.path_params["name"]), None)
        if found is None:
            return page("missing.html", 404, title="Not here")
        return page("freelancer.html", title=found.shown, freelancer=found)

    async def form(request: Request) -> Response:
        """The flows end in themselves: what is written into a form goes nowhere."""
        name = request.path_params["step"]
        if request.method == "POST":
            return RedirectResponse(f"/done/{name}", 303)
        return page(f"{name}.html", title={"sign-up": "Sign up", "post-a-project": "Post a project"}[name])

    async def done(request: Request) -> Response:
        events = {"sign-up": "sign_up", "post-a-project": "post_project"}
        name = request.path_params["step"]
        return page("done.html", title="Done", event=events.get(name), what=name)

    async def messages(request: Request) -> Response:
        return page("messages.html", title="Messages")

    async def privacy(request: Request) -> Response:
        return page("privacy.html", title="Privacy")

    async def static(request: Request) -> Response:
        return FileResponse(_HERE / "static" / request.path_params["name"])

    steps = "sign-up|post-a-project"
    return Starlette(
        routes=[
            Route("/", home),
            Route("/projects", listed),
            Route("/project/{number:int}", project),
            Route("/u/{name:str}", freelancer),
            Route("/messages", messages),
            Route("/messages/{who:str}", messages),
            Route("/privacy", privacy),
            *[Route(f"/{step}", _step(form, step), methods=["GET", "POST"]) for step in steps.split("|")],
            *[Route(f"/done/{step}", _step(done, step)) for step in steps.split("|")],
            *[Route(f"/static/{name}", _named(static, name)) for name in ("market.css", "market.js")],
        ]
    )


def _step(page: Any, step: str) -> Any:
    async def one(request: Request) -> Response:
        request.path_params["step"] = step
        found: Response = await page(request)
        return found

    return one


def _named(page: Any, name: str) -> Any:
    async def one(request: Request) -> Response:
        request.path_params["name"] = name
        found: Response = await page(request)
        return found

    return one


def settings() -> str:
    """The demo's throng.toml."""
    return f"""# Settings of the demo: one made-up marketplace, on loopback only.
[[site]]
id = "{SITE}"
origins = []
timezone = "Europe/Berlin"
pack = "workallies-2024"
paths = ["/u/{{freelancer}}", "/project/{{project}}", "/messages/{{conversation}}"]
props = ["host", "extension", "form", "skill", "step"]
categories = ["web", "design", "translation", "data", "mobile", "writing", "photo", "audio"]

[ingest]
# The crowd says in X-Forwarded-For where it pretends to come from.
trusted_proxies = ["127.0.0.0/8"]

[demo]
generated = true
"""


def serve(port: int, collector: str) -> None:
    """Serve on loopback until SIGTERM."""
    uvicorn.run(create(collector), host="127.0.0.1", port=port, access_log=False, log_config=None, ws="none")

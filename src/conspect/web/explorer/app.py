"""The explorer as an ASGI application: the page, the questions, the pictures; and who may ask."""

from __future__ import annotations

import hmac
import mimetypes
import secrets
from collections.abc import Awaitable, Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from weakref import WeakKeyDictionary

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from conspect.core.diagnostics import ConspectError, outside_error, user_error
from conspect.study.exploration.current import Current
from conspect.study.exploration.opening import OpenedStudy
from conspect.web.explorer.endpoints import ENDPOINTS, STATE, TABLE, Method, endpoint_at, read_body, read_query, table
from conspect.web.explorer.openapi import openapi
from conspect.web.explorer.pictures import Pictures, pictures_of
from conspect.web.explorer.printing import side_of
from conspect.web.explorer.queries import PictureFile

COOKIE = "conspect-explorer"
LARGEST_BODY, LARGEST_PICTURE = 2 * 2**20, 32 * 2**20
STATUS = {"EXPLORE003": 404, "EXPLORE005": 404, "EXPLORE006": 403, "EXPLORE011": 503}
# No script, style, frame or request of anybody else's; pictures from here, and those that a chart is saved as. The editor
# writes its own style sheet, which the page's nonce allows.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
NONCE_PLACE = b"<head>"
HEADERS = {
    "Content-Security-Policy": POLICY.format(nonce="none"),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # The live view may ask for the webcam; nothing else is ever asked for.
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=(), usb=(), serial=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
Handler = Callable[[Request], Awaitable[Response]]


def application(current: Current, *, token: str, hosts: frozenset[str], version: str) -> Starlette:
    """The application. `token`: asked once in the address, then kept in a cookie; `hosts`: names it may be called by."""
    of_study: WeakKeyDictionary[OpenedStudy, Pictures] = WeakKeyDictionary()

    def guarded(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                require_right(request, token, hosts)
                response = await handler(request)
            except ConspectError as error:
                response = refusal(error)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return answer

    async def page(request: Request) -> Response:
        if hmac.compare_digest(request.query_params.get("token", "").encode(), token.encode()):
            # The token leaves the address bar at once, so that it is in no history and no screenshot.
            target = URL(scope=request.scope).remove_query_params("token")
            response: Response = RedirectResponse("/" + (f"?{target.query}" if target.query else ""), 303)
            response.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")
            return response
        return index_page()

    async def asset(request: Request) -> Response:
        return static("assets/" + request.path_params["name"])

    async def question(request: Request) -> Response:
        endpoint = endpoint_at(request.method, request.url.path)
        if endpoint.method is Method.POST:
            most = LARGEST_PICTURE if endpoint.query is PictureFile else LARGEST_BODY
            asked = read_body(endpoint, await bounded_body(request, most))
        else:
            asked = read_query(endpoint, request.url.query)

        def answered() -> msgspec.Struct:
            # The state can be told before there is anything to ask.
            return current.state() if endpoint.path == STATE else endpoint.answer(current.study().exploration, asked)

        answer = await run_in_threadpool(answered)
        return Response(
            msgspec.json.encode(answer), media_type="application/json", headers={"Cache-Control": "no-store"}
        )

    async def images_table(request: Request) -> Response:
        text = await run_in_threadpool(lambda: table(current.study().exploration, request.url.query))
        return Response(
            text, media_type="text/csv", headers={"Content-Disposition": 'attachment; filename="images.csv"'}
        )

    async def picture(request: Request) -> Response:
        study, side = current.study(), side_of(request.query_params.get("side"))
        pictures = of_study.setdefault(study, pictures_of(study))
        drawn = await run_in_threadpool(pictures.drawn, request.path_params["row"], side)
        return Response(drawn, media_type="image/png", headers={"Cache-Control": "private, max-age=86400, immutable"})

    async def document(_request: Request) -> Response:
        return JSONResponse(openapi(version))

    routes = [
        Route("/", guarded(page)),
        Route("/assets/{name}", guarded(asset)),
        Route("/picture/{row:int}", guarded(picture)),
        Route(TABLE, guarded(images_table)),
        Route("/openapi.json", guarded(document)),
        Route("/api/{rest:path}", guarded(question), methods=sorted({e.method.value for e in ENDPOINTS})),
    ]
    return Starlette(routes=routes)


def require_right(request: Request, token: str, hosts: frozenset[str]) -> None:
    """Raises UserError EXPLORE006 for a request by another name, from another site's page, or without the token.

    A page elsewhere could otherwise reach a loopback port through the user's browser: by a name that it lets resolve to
    127.0.0.1 (the Host header tells), or by a form (Origin and Sec-Fetch-Site tell).
    """
    host = request.headers.get("host", "")
    if host not in hosts:
        raise user_error("EXPLORE006", f"this explorer is not called {host[:100]!r}", f"call it {sorted(hosts)[0]}")
    if request.method not in ("GET", "HEAD"):
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        if (origin is not None and origin.removeprefix("http://") != host) or site not in (None, "same-origin"):
            raise user_error(
                "EXPLORE006", "another site's page asks for a change", "change it in the explorer's own page"
            )
    given = request.cookies.get(COOKIE) or request.query_params.get("token") or ""
    if not hmac.compare_digest(given.encode(), token.encode()):
        fix = "open the address that conspect explore printed, with its token"
        raise user_error("EXPLORE006", "the token is missing or wrong", fix)


def refusal(error: ConspectError) -> Response:
    """What is wrong with a question, as JSON in the shape of every diagnostic."""
    status = STATUS.get(error.diagnostics[0].code, 400)
    shown = [diagnostic.to_object() for diagnostic in error.diagnostics]
    return JSONResponse({"diagnostics": shown}, status)


async def bounded_body(request: Request, most: int) -> bytes:
    """The body of at most `most` bytes. Raises UserError EXPLORE002 for a larger one."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise user_error("EXPLORE002", f"more than {most} bytes", "ask for less at once")
    return body


def bundle() -> Traversable:
    """The folder of the built front end."""
    return files("conspect.web.explorer").joinpath("bundle")


def require_page() -> None:
    """Raises OutsideError EXPLORE007 where the front end was not built."""
    if not bundle().joinpath("index.html").is_file():
        raise outside_error(
            "EXPLORE007", "the explorer's page is not built in this checkout", "build it: make explorer"
        )


def index_page() -> Response:
    """The page, with a nonce of its own for the styles that the editor writes."""
    nonce = secrets.token_urlsafe(16)
    response = static("index.html")
    marked = bytes(response.body).replace(
        NONCE_PLACE, NONCE_PLACE + f'<meta name="style-nonce" content="{nonce}">'.encode(), 1
    )
    policy = {"Content-Security-Policy": POLICY.format(nonce=nonce), "Cache-Control": "no-store"}
    return Response(marked, media_type="text/html", headers=policy)


def static(name: str) -> Response:
    """A file of the front end; names are those that the build gave, so nothing else can be read."""
    known = (
        {entry.name for entry in bundle().joinpath("assets").iterdir()}
        if bundle().joinpath("assets").is_dir()
        else set()
    )
    folder, _, file = name.rpartition("/")
    if name != "index.html" and not (folder == "assets" and file in known):
        raise user_error("EXPLORE005", f"there is no {name[:100]!r}", "open the page at /")
    source = bundle().joinpath(name)
    if not source.is_file():
        raise user_error("EXPLORE007", "the explorer's page is not built", "build it: make explorer")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    caching = "no-store" if name == "index.html" else "private, max-age=31536000, immutable"
    return Response(source.read_bytes(), media_type=kind, headers={"Cache-Control": caching})

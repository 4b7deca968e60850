"""The routes: /v1/check, /healthz, /metrics, the OpenAPI schema, and a page that says what this is."""

from __future__ import annotations

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

from conspect.core.diagnostics import ConspectError, UserError, user_error
from conspect.core.json_value import JsonObject
from conspect.core.version import VERSION
from conspect.study.monitor.serving import Deployment
from conspect.web.answers import Answers, Asked, Failure
from conspect.web.bodies import JSON, MULTIPART, SAFETENSORS
from conspect.web.checking import RequestChecks
from conspect.web.engine import Engine
from conspect.web.failures import FAULT, allowed, response
from conspect.web.guard import ABOUT, OPEN, Guard, RequestNotes
from conspect.web.limits import Limits
from conspect.web.log import Log
from conspect.web.metrics import CONTENT_TYPE, Metrics
from conspect.web.receiving import Receiver

REASONS = "reasons is flagged, all or none, and the query has nothing else"
CHECK, METRICS, SCHEMA = "/v1/check", "/metrics", "/openapi.json"
_ROWS: JsonObject = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
_FILE: JsonObject = {"type": "string", "format": "binary"}
BODY: JsonObject = {
    "required": True,
    "content": {
        JSON: {
            "schema": {
                "type": "object",
                "required": ["embeddings"],
                "properties": {"embeddings": _ROWS, "logits": _ROWS},
                "additionalProperties": False,
            }
        },
        SAFETENSORS: {"schema": _FILE},
        "image/*": {"schema": _FILE},
        MULTIPART: {"schema": {"type": "object", "properties": {"image": {"type": "array", "items": _FILE}}}},
    },
}
FAILURES: dict[int | str, dict[str, type[Failure]]] = {
    status: {"model": Failure} for status in (400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 500, 503)
}
# No script, no style, nothing from elsewhere.
PAGE_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Conspect monitor</title></head><body>
<h1>Conspect monitor</h1>
<p>This service watches a vision model: it says of each input what the model's output is, whether to believe it, and why not.
It is meant for programs.</p>
<ul>
<li><code>POST {CHECK}</code> with an image, several, or embeddings: the answer for each</li>
<li><a href="{SCHEMA}">{SCHEMA}</a>: all of it, described for programs</li>
<li><a href="{OPEN}">{OPEN}</a>: whether it takes requests</li>
<li><a href="{METRICS}">{METRICS}</a>: figures for Prometheus</li>
</ul>
<p><code>curl -H 'Content-Type: image/png' --data-binary @image.png http://HOST:PORT{CHECK}?reasons=all</code></p>
</body></html>
"""


class Service:
    """The application, as ASGI, and the threads behind it."""

    def __init__(
        self,
        deployed: Deployment,
        limits: Limits | None = None,
        *,
        log: Log,
        token: str | None = None,
        hosts: frozenset[str] = frozenset(),
    ) -> None:
        self.limits = limits or Limits()
        self.engine = Engine(deployed, capacity=self.limits.queue, batch=self.limits.batch)
        self._checking = RequestChecks(self.engine, self.limits)
        self.metrics = Metrics(self.engine)
        routes = frozenset({CHECK, OPEN, METRICS, SCHEMA, ABOUT})
        self.asgi = Guard(self._application(), self.metrics, log, routes, token=token, hosts=hosts)

    def stop(self) -> None:
        """From now on /healthz answers 503 and no connection is kept; requests are still answered."""
        self.asgi.stopping = True

    def close(self) -> None:
        """Answers what was accepted, then ends the threads."""
        self._checking.close()

    def _application(self) -> FastAPI:
        # Its pages of documentation would load scripts from another host.
        # A redirect to a path's other spelling would name whatever host the request named.
        app = FastAPI(
            title="Conspect monitor", version=VERSION, docs_url=None, redoc_url=None, openapi_url=SCHEMA,
            redirect_slashes=False,
        )  # fmt: skip
        app.add_exception_handler(ConspectError, _told)
        app.add_exception_handler(HTTPException, _told_by_starlette)
        app.add_exception_handler(RequestValidationError, _told_by_fastapi)
        # The guard logs it: starlette raises it again after this answer.
        app.add_exception_handler(Exception, lambda request, _error: _told(request, UserError(FAULT)))
        receiver = Receiver(self.limits)

        @app.post(CHECK, response_model=Answers, responses=FAILURES, openapi_extra={"requestBody": BODY})
        async def check(request: Request, reasons: Asked = "flagged") -> Response:
            """Say of each input whether the model's output can be believed. `reasons`: for whom to give them."""
            _require_known(request.query_params)
            notes: RequestNotes = request.scope["conspect"]
            async with receiver.body(request) as body:
                notes.bytes = len(body)
                parsed = await self._checking.parsed(request.headers.get("content-type", ""), body)
                notes.inputs = len(parsed)
                checked = await self._checking.checked(parsed)
            results = await self._checking.answered(checked, reasons)
            self.metrics.decisions(results)
            notes.suspect = sum(result.verdict == "suspect" for result in results)
            return Response(msgspec.json.encode(Answers(results)), media_type=JSON)

        @app.get(OPEN, responses={503: {"model": Failure}})
        async def health() -> dict[str, str]:
            """Whether the service takes requests."""
            if self.asgi.stopping:
                raise user_error("WEB113", "the service is stopping", "ask another one, or later")
            return {"status": "ok"}

        app.head(OPEN, include_in_schema=False)(health)

        @app.get(ABOUT, response_class=Response, include_in_schema=False)
        async def about() -> Response:
            return Response(PAGE, media_type="text/html", headers={"content-security-policy": PAGE_POLICY})

        app.head(ABOUT, include_in_schema=False)(about)

        @app.get(METRICS, response_class=Response)
        def metrics() -> Response:
            """Figures for Prometheus."""
            return Response(self.metrics.text(), media_type=CONTENT_TYPE)

        app.head(METRICS, include_in_schema=False)(metrics)

        return app


def _require_known(query: QueryParams) -> None:
    """Raises UserError WEB109 for a parameter of another name, or one that is given twice: neither is left out in silence."""
    names = [name for name, _ in query.multi_items()]
    unknown = next((name for name in names if name != "reasons"), None)
    if unknown is not None or len(names) > 1:
        problem = "the query says reasons twice" if unknown is None else f"the query has {unknown[:40]!r}"
        raise user_error("WEB109", problem, REASONS)


def _told(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ConspectError):
        raise error
    status, headers, content = response(error)
    reply = Response(content, status)
    reply.raw_headers = headers
    return reply


def _told_by_starlette(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 405:
        methods = (error.headers or {}).get("Allow", "")
        reply = _told(request, user_error("WEB104", f"{request.method[:20]} is not served here", f"use {methods}"))
        reply.raw_headers.append(allowed(methods.split(", ")))
        return reply
    paths = f"known paths: {ABOUT}, {CHECK}, {OPEN}, {METRICS}, {SCHEMA}"
    return _told(request, user_error("WEB103", f"there is no {request.url.path[:100]!r}", paths))


def _told_by_fastapi(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    where = ", ".join(".".join(str(part) for part in mistake["loc"]) for mistake in error.errors())
    return _told(request, user_error("WEB109", f"{where[:200]} is wrong", REASONS))

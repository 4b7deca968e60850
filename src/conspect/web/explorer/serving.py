"""Listening for the explorer's page: on loopback alone, with a token that only this call's address holds."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

import uvicorn

from conspect.core.diagnostics import ConspectError
from conspect.core.version import VERSION
from conspect.study.exploration.current import Current
from conspect.web.explorer.app import application
from conspect.web.server import bound

HOST = "127.0.0.1"


def serve(current: Current, port: int, told: Callable[[str], None]) -> None:
    """Serves until Ctrl-C; `told` is called with the address once the port is taken.

    Raises OutsideError WEB001 for a port that cannot be had.
    """
    listening = bound(HOST, port, None)
    number = listening.getsockname()[1]
    token = secrets.token_urlsafe(24)
    hosts = frozenset({f"{HOST}:{number}", f"localhost:{number}"})
    app = application(current, token=token, hosts=hosts, version=VERSION)
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, proxy_headers=False, ws="none")
    # The text encoder takes seconds to load: while somebody looks at the first page, not when they ask the first question.
    Thread(target=warm, args=(current,), daemon=True).start()
    told(f"http://{HOST}:{number}/?token={token}")
    uvicorn.Server(config).run(sockets=[listening])


def warm(current: Current) -> None:
    """Loads what the first questions would wait for; what is wrong with it is said to whoever asks."""
    with suppress(ConspectError):
        current.study().exploration.warm()

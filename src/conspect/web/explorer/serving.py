"""Listening for the explorer's page: on loopback alone, with a token that only this call's address holds."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from threading import Thread

import uvicorn

from conspect.core.version import VERSION
from conspect.study.exploration.opening import OpenedStudy
from conspect.web.explorer.app import application
from conspect.web.explorer.pictures import Pictures
from conspect.web.server import bound

HOST = "127.0.0.1"


def pictures_of(study: OpenedStudy) -> Pictures:
    """The pictures of a study's images, small ones kept in its folder."""
    return Pictures(study.images, study.rows, study.folder, study.images.digest)


def serve(study: OpenedStudy, port: int, told: Callable[[str], None]) -> None:
    """Serves until Ctrl-C; `told` is called with the address once the port is taken.

    Raises OutsideError WEB001 for a port that cannot be had.
    """
    listening = bound(HOST, port, None)
    number = listening.getsockname()[1]
    token = secrets.token_urlsafe(24)
    hosts = frozenset({f"{HOST}:{number}", f"localhost:{number}"})
    app = application(study.exploration, pictures_of(study), token=token, hosts=hosts, version=VERSION)
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, proxy_headers=False, ws="none")
    # The text encoder takes seconds to load: while somebody looks at the first page, not when they ask the first question.
    Thread(target=study.exploration.warm, daemon=True).start()
    told(f"http://{HOST}:{number}/?token={token}")
    uvicorn.Server(config).run(sockets=[listening])

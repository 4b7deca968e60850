"""Binding, running and stopping: loopback unless a token is given, and a stop that loses no accepted request."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn

from conspect.core.diagnostics import SourceLocation, outside_error, user_error
from conspect.study.monitor.serving import Deployment
from conspect.web.app import Service
from conspect.web.limits import Limits
from conspect.web.log import LogWriter, take_over_logging
from conspect.web.protocol import protocol

LEAST_TOKEN, LONGEST_TOKEN, BACKLOG = 16, 4096, 2048
# After the signal, requests that are already on their way are still taken for so long.
LINGER_SECONDS = 0.3
# Then answers have so long, beyond the time a request may take to arrive, to be computed and fetched.
ANSWER_SECONDS = 60.0


def is_loopback(host: str) -> bool:
    """True for an address that only this machine can reach."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def read_token(path: Path) -> str:
    """The token in a file. Raises UserError WEB002 when it cannot be read or others can, is short or not printable ASCII."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            token = file.read(LONGEST_TOKEN).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not ASCII"
        raise user_error(
            "WEB002", f"cannot read the token: {reason}", "give a text file", SourceLocation(str(path))
        ) from error
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        problem = "every user of this machine can read or change the token"
        raise user_error(
            "WEB002", problem, f"chmod 600 {path}, and make a new one if it was read", SourceLocation(str(path))
        )
    if len(token) < LEAST_TOKEN or not token.isprintable() or " " in token:
        problem = f"the token is shorter than {LEAST_TOKEN} characters or holds spaces"
        raise user_error("WEB002", problem, "make one: openssl rand -hex 32 > FILE", SourceLocation(str(path)))
    return token


def bound(host: str, port: int, token: str | None) -> socket.socket:
    """A listening socket. Raises UserError WEB002 without a token where others can reach it, OutsideError WEB001."""
    if token is None and not is_loopback(host):
        problem = f"others can reach {host}, and no token is asked of them"
        raise user_error("WEB002", problem, "give --token-file FILE, or bind to 127.0.0.1")
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, number)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(BACKLOG)  # who connects from now on waits until the event loop runs, and is not refused
        except BaseException:
            listening.close()
            raise
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problem = f"cannot listen on {host}, port {port}: {reason}"
        raise outside_error("WEB001", problem, "stop what uses it, or choose another --port or --host") from error
    return listening


class _Server(uvicorn.Server):
    """uvicorn that takes what is already on its way before it stops, and ends with exit code 0 when asked to stop."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.stop()
        await asyncio.sleep(LINGER_SECONDS)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        def stop(_number: int, _frame: FrameType | None) -> None:
            self.should_exit = True

        earlier = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)


def serve(deployed: Deployment, *, host: str, port: int, token: str | None, limits: Limits) -> None:
    """Serves until SIGTERM or SIGINT; then answers what was accepted and returns. Raises what `bound` raises."""
    listening = bound(host, port, token)
    address, number = listening.getsockname()[:2]
    name = f"[{address}]" if ":" in address else address
    hosts = frozenset({"localhost", "127.0.0.1", "[::1]", name, host.lower()}) if token is None else frozenset[str]()
    log = LogWriter()
    service = Service(deployed, limits, token=token, hosts=hosts, log=log)
    take_over_logging(log)
    config = uvicorn.Config(
        service.asgi,
        http=protocol(limits),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=round(limits.seconds + ANSWER_SECONDS),
    )
    server = _Server(config, service)
    try:
        # Before anyone is told that we listen: from then on a signal means to stop gracefully.
        with server.capture_signals():
            log("listening", {"url": f"http://{name}:{number}", "token": token is not None})
            server.run(sockets=[listening])
    finally:
        service.close()
        log("stopped", {"inputs": service.engine.status().seen})
        log.close()

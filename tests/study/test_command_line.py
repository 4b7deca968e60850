"""`conspect init` and `conspect run` as a user calls them, in processes of their own."""

import fcntl
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from conspect.cli import main as entry
from conspect.study.config import TEMPLATE, read_config

ROOT = Path(__file__).parents[2]


def call(*arguments: str | Path, fakes: bool = False) -> subprocess.CompletedProcess[str]:
    module = "tests.study.fake_cli" if fakes else "conspect.cli.main"
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_run_writes_results_and_report_and_prints_where(folder: Path) -> None:
    done = call("run", folder, fakes=True)
    assert done.returncode == 0
    assert done.stdout == f"report: {folder / 'report.html'}\n"
    assert "it fails on 13" in done.stderr
    assert "2 images could not be read" in done.stderr
    assert json.loads((folder / "results.json").read_text())["localization"]["failures"] == 13
    assert (folder / "report.html").read_text().startswith("<!doctype html>")


def test_json_is_all_there_is_on_standard_output_and_no_bar_is_drawn(folder: Path) -> None:
    done = call("run", folder, "--json", fakes=True)
    assert done.returncode == 0
    assert json.loads(done.stdout) == json.loads((folder / "results.json").read_text())
    assert "\r" not in done.stderr
    assert "img/s" not in done.stderr


def test_init_writes_a_commented_study_and_nothing_over_another(tmp_path: Path) -> None:
    done = call("init", tmp_path / "new")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"conspect run {tmp_path / 'new'}" in done.stderr
    assert (tmp_path / "new/study.toml").read_text() == TEMPLATE
    assert read_config(tmp_path / "new/study.toml").data.kind == "image-folder"
    again = call("init", tmp_path / "new")
    assert again.returncode == 2
    assert "CLI001" in again.stderr


def test_what_init_writes_runs_up_to_the_missing_images(tmp_path: Path) -> None:
    call("init", tmp_path)
    done = call("run", tmp_path, fakes=True)
    assert done.returncode == 2
    assert "DATA003" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run"], 2, "Missing argument"),
        (["run", "nowhere"], 2, "STUDY001"),
        (["run", "--jsno", "x"], 2, "--json"),
        (["rnu"], 2, "No such command"),
        (["demo", "--images", "3"], 2, "--images"),
        (["demo", "--cifar10", "nowhere"], 2, "does not exist"),
        (["--version"], 0, ""),
        (["run", "--help"], 0, ""),
    ],
)
def test_exit_codes_tell_a_wrong_call(arguments: list[str], code: int, said: str) -> None:
    done = call(*arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_outside_failure_has_its_own_exit_code(folder: Path) -> None:
    (folder / "embeddings").write_text("in the way")
    done = call("run", folder, fakes=True)
    assert done.returncode == 4
    assert "STORE001" in done.stderr


def stopped_by(monkeypatch, error: BaseException) -> int:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(entry, "main", fail)
    with pytest.raises(SystemExit) as caught:
        entry.run()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_a_fault_of_our_own_and_an_interrupt_have_their_own_exit_codes(monkeypatch, capsys) -> None:
    assert stopped_by(monkeypatch, RuntimeError("oops")) == 70
    assert "RuntimeError: oops" in capsys.readouterr().err
    assert stopped_by(monkeypatch, KeyboardInterrupt()) == 130
    assert "the same call continues" in capsys.readouterr().err


def test_a_reader_that_goes_away_ends_the_run_without_a_word(folder: Path) -> None:
    command = [sys.executable, "-m", "tests.study.fake_cli", "run", str(folder), "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert b"Error" not in process.stderr.read()
        assert process.wait(timeout=20) == 141
    assert (folder / "report.html").is_file()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["spec", "--help"]])
def test_nobody_reads_is_no_failure_worth_a_word(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "conspect.cli.main", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(timeout=20) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_standard_output_on_a_full_disk_is_told_in_one_line() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "conspect.cli.main", "--help"]
        done = subprocess.run(command, check=False, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 4
    assert done.stderr == "the system refused: No space left on device; free space or files there, and call again\n"


def test_on_a_terminal_the_bar_tells_stage_rate_and_time_left() -> None:
    code = (
        "import time\nfrom conspect.cli.progress import terminal_bar\nadvance = terminal_bar('model embeddings (test)', 40)\n"
        "for _ in range(20):\n    time.sleep(0.05)\n    advance(2)\n"
    )
    leader, follower = os.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    with subprocess.Popen([sys.executable, "-c", code], stderr=follower, cwd=ROOT) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                part = os.read(leader, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
        assert process.wait(timeout=60) == 0
    os.close(leader)
    assert b"model embeddings (test)" in shown
    assert b"img/s" in shown
    assert b"40/40" in shown
    assert b"<" in shown  # elapsed<left


@pytest.mark.parametrize(
    ("number", "code_expected", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_run_that_is_told_to_stop_says_that_it_continues(
    folder: Path, number: signal.Signals, code_expected: int, word: str
) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored where the tests run in the background
        "from tests.fakes import FakeModel\nfrom tests.study import fake_cli\n"
        "from conspect.study import inputs\nfrom conspect.cli.main import run\n"
        "class Slow(FakeModel):\n    def embed(self, batch):\n        print('busy', flush=True)\n        time.sleep(60)\n"
        "inputs.model_of = lambda request: Slow()\ninputs.vlm_of = lambda request, cache: FakeModel()\n"
        f"sys.argv = ['conspect', 'run', {str(folder)!r}]\nrun()\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "busy\n"
        process.send_signal(number)
        said = process.stderr.read()
        assert process.wait(timeout=20) == code_expected
    assert said.strip() == f"{word}; what was finished is kept, the same call continues"


@pytest.mark.slow
def test_a_run_that_is_killed_at_random_moments_ends_with_the_same_results(folder: Path, tmp_path: Path) -> None:
    untouched = shutil.copytree(folder, tmp_path / "untouched")
    rng = random.Random(0)
    command = [sys.executable, "-m", "tests.study.fake_cli", "run", str(folder)]
    for _ in range(8):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            time.sleep(rng.uniform(0.3, 2.5))
            process.kill()
    results = []
    for study in (folder, untouched):
        assert call("run", study, fakes=True).returncode == 0
        results.append(json.loads((study / "results.json").read_text()))
        results[-1].pop("timings")
    assert results[0] == results[1]

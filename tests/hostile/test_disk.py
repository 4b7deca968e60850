"""Full, read-only and vanishing disks, wrong clocks, and several processes on one study: one message, and it continues."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import write_study

ROOT = Path(__file__).parents[2]


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "tests.study.fake_cli", *map(str, arguments)]


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), check=False, cwd=ROOT, capture_output=True, text=True)


def results(folder: Path) -> dict[str, object]:
    results = json.loads((folder / "results.json").read_text())
    results.pop("timings")
    return results


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    """A study whose images lie elsewhere, so that its own folder can be put on any disk."""
    folder = tmp_path_factory.mktemp("elsewhere")
    write_study(folder)
    text = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(text.replace('"images/', f'"{folder}/images/'))
    return folder


def copied(pristine: Path, folder: Path) -> Path:
    return shutil.copytree(pristine, folder, ignore=shutil.ignore_patterns("images"), dirs_exist_ok=True)


@pytest.fixture(scope="module")
def undisturbed(pristine: Path, tmp_path_factory) -> dict[str, object]:
    folder = copied(pristine, tmp_path_factory.mktemp("undisturbed") / "study")
    assert call("run", folder).returncode == 0
    return results(folder)


def mounted(*arguments: str | Path) -> bool:
    return subprocess.run(["mount", *map(str, arguments)], check=False, capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not shutil.which("mount") or not mounted("-t", "tmpfs", "-o", "size=256k", "none", folder):
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def one_message(done: subprocess.CompletedProcess[str], code: str, number: int) -> None:
    assert done.returncode == number, done.stderr
    lines = done.stderr.strip().splitlines()
    assert [line for line in lines if code in line]
    assert len(lines) == 2, done.stderr  # the problem and the fix
    assert lines[1].startswith("  fix: ")
    assert done.stdout == ""


@pytest.mark.slow
def test_a_full_disk_is_told_and_the_same_call_continues_once_there_is_room(
    pristine: Path, undisturbed: dict[str, object], disk: Path
) -> None:
    copied(pristine, disk)
    for room in (0, 16 * 1024, 48 * 1024):  # for nothing; for some embeddings; for all of them
        status = os.statvfs(disk)
        used = (status.f_blocks - status.f_bfree) * status.f_frsize
        assert mounted("-o", f"remount,size={used + room}", disk)
        done = call("run", disk)
        one_message(done, "STORE001", 4)
        assert "No space left on device" in done.stderr
        for path in disk.rglob("*.json"):
            json.loads(path.read_text())
        assert not list(disk.rglob("*.tmp"))
    assert mounted("-o", "remount,size=16m", disk)
    assert call("run", disk).returncode == 0
    assert results(disk) == undisturbed


@pytest.mark.slow
def test_a_read_only_disk_is_told_and_what_is_finished_can_be_read(
    pristine: Path, undisturbed: dict[str, object], disk: Path
) -> None:
    copied(pristine, disk)
    assert mounted("-o", "remount,ro,size=16m", disk)
    done = call("run", disk)
    one_message(done, "STORE001", 4)
    assert "Read-only file system" in done.stderr
    assert mounted("-o", "remount,rw,size=16m", disk)
    assert call("run", disk).returncode == 0
    assert mounted("-o", "remount,ro", disk)
    one_message(call("run", disk), "STORE001", 4)
    assert results(disk) == undisturbed


def test_a_folder_without_the_right_to_write_is_told(pristine: Path, tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("the superuser may write everywhere")
    folder = copied(pristine, tmp_path / "study")
    folder.chmod(0o500)
    one_message(call("run", folder), "STORE001", 4)


SLOW = """
import sys, time
from conspect.cli.main import run
from conspect.study import inputs
from tests.fakes import FakeModel, FakeVlm
class Slow(FakeVlm):
    def embed(self, batch):
        if not getattr(self, "told", False):
            self.told = True
            print("busy", flush=True)
            sys.stdin.readline()
        return super().embed(batch)
inputs.model_of = lambda request: FakeModel()
inputs.vlm_of = lambda request, cache: Slow()
sys.argv = ["conspect", "run", sys.argv[1]]
run()
"""


def interrupted(folder: Path, happens) -> subprocess.CompletedProcess[str]:
    """A run in whose middle something happens: the model's embeddings are stored, the VLM's are not."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", SLOW, str(folder)], cwd=ROOT, text=True, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "busy\n"
        happens()
        said, told = process.communicate("go on\n", timeout=120)
    return subprocess.CompletedProcess([], process.returncode, said, told)


@pytest.mark.slow
def test_a_share_that_vanishes_under_the_run_is_told_and_the_run_continues_when_it_is_back(
    pristine: Path, undisturbed: dict[str, object], disk: Path
) -> None:
    """From one moment on, what the run has stored is out of reach, and nothing more can be stored there."""
    copied(pristine, disk)
    assert mounted("-o", "remount,size=16m", disk)
    store = disk / "embeddings"

    def vanish() -> None:
        store.rename(disk / "gone")
        store.write_text("the place is taken")

    done = interrupted(disk, vanish)
    one_message(done, "STORE001", 4)
    store.unlink()
    (disk / "gone").rename(store)
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*.safetensors")}
    assert before
    assert call("run", disk).returncode == 0
    assert all(path.stat().st_mtime_ns == moment for path, moment in before.items())
    assert results(disk) == undisturbed


@pytest.mark.slow
def test_images_that_vanish_under_the_run_are_listed_or_told_never_dropped(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study")
    whole = len(list((folder / "images/test").rglob("*.png")))
    done = interrupted(folder, lambda: shutil.rmtree(folder / "images/test/blue"))
    results = json.loads((folder / "results.json").read_text())
    assert done.returncode == 0
    assert results["dataset"]["images"] == whole
    assert results["dataset"]["readable"] + len([x for x in results["unreadable"] if x["split"] == "test"]) == whole
    assert all("No such file" in entry["reason"] for entry in results["unreadable"])


def test_an_image_folder_that_is_not_there_is_told(pristine: Path, tmp_path: Path) -> None:
    folder = copied(pristine, tmp_path / "study")
    text = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(text.replace(f"{pristine}/images/test", "/mnt/share/that/is/gone"))
    one_message(call("run", folder), "DATA003", 2)


@pytest.mark.slow
def test_processes_on_one_study_do_not_disturb_each_other(
    pristine: Path, undisturbed: dict[str, object], tmp_path: Path
) -> None:
    folder = copied(pristine, tmp_path / "study")
    running = [
        subprocess.Popen(command("run", folder), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in running:
        _, told = process.communicate(timeout=300)
        assert process.returncode == 0, told
    assert results(folder) == undisturbed
    assert not list(folder.rglob("*.tmp"))


@pytest.mark.slow
def test_files_from_the_future_are_files_like_others(
    pristine: Path, undisturbed: dict[str, object], tmp_path: Path
) -> None:
    """The clock was set back after a run: all that it wrote is from next year, also what a killed one left."""
    folder = copied(pristine, tmp_path / "study")
    assert call("run", folder).returncode == 0
    leftover = folder / "embeddings" / ".a.safetensors.1.00c0ffee.tmp"
    leftover.write_bytes(b"half")
    later = time.time() + 366 * 86400
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (later, later))
    done = call("run", folder)
    assert done.returncode == 0
    assert "img/s" not in done.stderr
    assert results(folder) == undisturbed
    os.utime(leftover, (0, 0))
    assert call("run", folder).returncode == 0
    assert results(folder) == undisturbed

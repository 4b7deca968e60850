"""Members of a study folder that are not what they should be: each its own diagnostic and code, and soon."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conspect.cli.main import run
from conspect.study import Study, inputs
from tests.fakes import FakeModel, FakeVlm, write_study

ROOT = Path(__file__).parents[2]
LONG = "a" * 5000


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("members"))


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pristine, tmp_path / "study")


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "model_of", lambda request: FakeModel())
    monkeypatch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())


def ended(monkeypatch: pytest.MonkeyPatch, *call: str) -> int:
    """The exit code of the command line, in this process; 30 seconds at most."""

    def late(*_: object) -> None:
        raise AssertionError("it is still running after 30 seconds")

    before = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGTERM)}
    signal.signal(signal.SIGALRM, late)
    signal.alarm(30)
    monkeypatch.setattr(sys, "argv", ["conspect", *call])
    monkeypatch.setattr("conspect.cli.main.guard_terminal", lambda: None)
    try:
        run()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def says(section: str, line: str) -> Callable[[Path], None]:
    """study.toml with this line in that section, in place of the section's line of the same key."""

    def change(folder: Path) -> None:
        path, key, here = folder / "study.toml", line.partition(" =")[0], ""
        kept = {section: [line]}
        for text in path.read_text().splitlines():
            here = text.strip("[]") if text.startswith("[") else here
            if text and not text.startswith("[") and not (here == section and text.startswith(f"{key} =")):
                kept.setdefault(here, []).append(text)
        path.write_text("".join(f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in kept.items()))

    return change


def in_place_of(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        make(folder / name)

    return change


def zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def a_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def named_in_latin(folder: Path) -> None:
    Path(os.fsdecode(bytes(folder / "images/test/red") + b"/b\xff\xfe.png")).write_bytes(b"x")


NOT_FILES: dict[str, Callable[[Path], object]] = {
    "/dev/zero": zeros,
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a loop": loop,
    "a socket": a_socket,
}
PATHS = {
    ("data", "train"), ("data", "test"), ("concepts", "file"), ("concepts", "class_attributes"), ("settings", "store"),
    ("model", "path"), ("model", "preprocessing"), ("vlm", "path"), ("vlm", "known"), ("data", "directory"),
}  # fmt: skip
CASES: dict[str, tuple[Callable[[Path], object], int, str]] = {
    **{
        f"{name} is a folder": (in_place_of(name, Path.mkdir), 4, f"STORE001: cannot write {name} to ")
        for name in ("results.json", "report.html", "manifest.json", "failures.arrows", "orders.arrows")
    },
    "results.json is a pipe": (in_place_of("results.json", os.mkfifo), 4, "STORE001: cannot write results.json to "),
    "no change": (lambda folder: None, 0, ""),
    "a name that is not UTF-8 on an unreadable image": (named_in_latin, 0, "1 image could not be read"),
    "a confidence next to 1": (says("settings", "confidence = 0.9999999999999999"), 0, ""),
    "a confidence next to 0": (says("settings", "confidence = 5e-324"), 0, ""),
    "a cut next to 1": (says("settings", "binarize_at = 0.9999999999999999"), 0, ""),
    "a seed of 5,000 digits": (says("settings", f"seed = {'9' * 5000}"), 2, "STUDY001"),
    "a seed of 20 digits": (says("settings", "seed = 99999999999999999999"), 0, ""),
    "a list of over-long paths": (says("properties", f'files = ["{LONG}"]'), 2, "STUDY002"),
    "a list with a null": (says("properties", 'files = ["a\\u0000"]'), 2, "STUDY002"),
    **{f"{section}.{key} is over-long": (says(section, f'{key} = "{LONG}"'), 2, "STUDY002") for section, key in PATHS},
    **{
        f"{section}.{key} holds a null": (says(section, f'{key} = "a\\u0000b"'), 2, "STUDY002")
        for section, key in PATHS
    },
    **{f"study.toml is {what}": (in_place_of("study.toml", make), 2, "STUDY001") for what, make in NOT_FILES.items()},
    **{
        f"the concepts are {what}": (in_place_of("concepts.toml", make), 2, "STUDY002")
        for what, make in NOT_FILES.items()
    },
    **{
        f"the table is {what}": (in_place_of("attributes.csv", make), 2, "STUDY002") for what, make in NOT_FILES.items()
    },
    **{
        f"an image is {what}": (
            in_place_of("images/test/red/x.png", make),
            0,
            "could not be read" if make is not Path.mkdir else "",
        )
        for what, make in NOT_FILES.items()
    },
}


@pytest.mark.parametrize("case", CASES)
def test_every_member_has_its_own_diagnostic(
    case: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change, code, told = CASES[case]
    change(folder)
    exit_code, said = ended(monkeypatch, "run", str(folder)), capsys.readouterr().err
    assert exit_code == code, said
    assert told in said
    assert len(said) < 6000, "a message is to be read"
    if code == 0:
        assert Study.open(folder).results().dataset.readable == 75


@pytest.mark.parametrize("command", ["run", "card", "verify", "doctor", "explain"])
def test_an_over_long_folder_is_refused_by_the_system_and_not_a_fault(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["x.cspec"] if command == "verify" else ["--image", "x"] if command == "explain" else []
    call = [command, "x" * 5000] if command in {"run", "card", "doctor"} else [command, *more, "--study", "x" * 5000]
    assert ended(monkeypatch, *call) in {2, 4}
    assert "fault of Conspect" not in capsys.readouterr().err


def shell(command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    return subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("end", ["2>&-", ">&-", ">&- 2>&-", "<&-", "2>/dev/full"])
def test_a_closed_stream_does_not_stop_a_run(end: str, folder: Path) -> None:
    done = shell(f"{sys.executable} -m tests.study.fake_cli run {folder} {end}")
    assert done.returncode == 0, done.stderr
    assert Study.open(folder).results().dataset.readable == 75


def test_an_error_with_closed_standard_error_keeps_its_code(folder: Path) -> None:
    says("settings", "confidence = 2")(folder)
    assert shell(f"{sys.executable} -m tests.study.fake_cli run {folder} 2>&-").returncode == 2


@pytest.mark.parametrize("megabytes", [150, 600, 2000])
def test_little_address_space_is_told_before_any_library_waits_for_more(megabytes: int, folder: Path) -> None:
    done = shell(f"ulimit -v {megabytes * 1024}; {sys.executable} -m conspect.cli.main run {folder}")
    assert done.returncode == 4, done.stderr[-2000:]
    assert "CLI003: this process may use" in done.stderr
    assert shell(f"ulimit -v {megabytes * 1024}; {sys.executable} -m conspect.cli.main run --help").returncode == 0


def test_few_open_files_are_told(folder: Path) -> None:
    done = shell(f"ulimit -n 12; {sys.executable} -m tests.study.fake_cli run {folder}")
    assert done.returncode in {0, 4}, done.stderr[-2000:]

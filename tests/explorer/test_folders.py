"""Images shown in the file manager: its own programs with lists of arguments, of the study's images alone, and honest words."""

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import pytest

from conspect.core.diagnostics import UserError
from conspect.study.exploration import folders
from conspect.study.exploration.folders import MOST_FILES, MOST_FOLDERS, NO_DESKTOP, Desktop, Folders, printable
from conspect.study.exploration.opening import OpenedStudy

NAME = "$(touch owned);`touch owned` & <b>,'\"%2e-e\u202e.png"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that write down how they were called; the only one that is searched."""
    place = tmp_path / "programs"
    place.mkdir()
    monkeypatch.setenv("PATH", str(place))
    return place


def program(place: Path, name: str, code: int = 0) -> Path:
    """`name` in `place`, which ends with `code`; the file that it writes its arguments to, each ended by a null."""
    told = place / f"{name}.told"
    lines = [
        f"#!{sys.executable}",
        "import os, sys",
        f"open({str(told)!r}, 'ab').write(b''.join(os.fsencode(a) + bytes(1) for a in sys.argv[1:]))",
        f"sys.exit({code})",
    ]
    (place / name).write_text("\n".join(lines))
    (place / name).chmod((place / name).stat().st_mode | stat.S_IXUSR)
    return told


def called(told: Path) -> list[str]:
    return [os.fsdecode(part) for part in told.read_bytes().split(b"\0")[:-1]] if told.exists() else []


def desktop(platform: str, environment: Mapping[str, str] = {"DISPLAY": ":0"}) -> Desktop:
    return Desktop(platform, environment)


@pytest.fixture
def hostile_file(tmp_path: Path) -> Path:
    path = tmp_path / "-flag; images $HOME" / NAME
    path.parent.mkdir()
    path.write_bytes(b"x")
    return path


def test_the_file_manager_of_a_linux_desktop_is_told_of_the_file_itself(programs: Path, hostile_file: Path) -> None:
    bus, opener = program(programs, "dbus-send"), program(programs, "xdg-open")
    assert desktop("linux").show([hostile_file]) is None
    (listed,) = [part for part in called(bus) if part.startswith("array:string:")]
    assert unquote(listed.removeprefix("array:string:")) == f"file://{hostile_file}"
    assert "," not in listed
    assert called(opener) == []
    assert not list(programs.parent.rglob("owned"))


@pytest.mark.parametrize("bus", [None, 1])
def test_without_a_bus_the_folder_is_opened_and_never_the_file(
    programs: Path, hostile_file: Path, bus: int | None
) -> None:
    if bus is not None:
        program(programs, "dbus-send", bus)
    opener = program(programs, "xdg-open")
    assert desktop("linux").show([hostile_file]) is None
    assert called(opener) == [str(hostile_file.parent)]


def test_macos_and_windows_show_the_file_in_its_folder(programs: Path, hostile_file: Path) -> None:
    mac, windows = program(programs, "open"), program(programs, "explorer", 1)
    assert desktop("darwin", {}).show([hostile_file]) is None
    assert called(mac) == ["-R", str(hostile_file)]
    assert desktop("win32", {}).show([hostile_file]) is None
    assert called(windows) == [f"/select,{hostile_file}"]


def test_where_nothing_can_be_opened_it_is_said_why(programs: Path, hostile_file: Path) -> None:
    assert desktop("linux", {}).show([hostile_file]) == NO_DESKTOP
    assert desktop("linux").show([hostile_file]) == "the program xdg-open is not installed"
    program(programs, "xdg-open", 3)
    assert "no file manager was found" in str(desktop("linux").show([hostile_file]))
    (programs / "open").write_text("no program")
    assert "not installed" in str(desktop("darwin").show([hostile_file]))


def test_a_program_that_stays_shows_a_window(
    programs: Path, hostile_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "PATIENCE", 0.0)
    program(programs, "xdg-open", 3)
    assert desktop("linux").show([hostile_file]) is None


def test_the_images_of_a_study_are_shown_by_their_paths(study: OpenedStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    name = study.exploration.index.ids[3]
    path = study.folder / "images" / "test" / name
    shown = study.exploration.show([name])
    assert (shown.shown, shown.why_not, shown.paths) == (False, NO_DESKTOP, (str(path.absolute()),))
    assert study.exploration.image(name).file == str(path.absolute())
    assert study.exploration.overview().has_files


def test_a_file_that_is_gone_and_an_image_of_no_study_are_refused(study: OpenedStudy) -> None:
    name = study.exploration.index.ids[3]
    (study.folder / "images" / "test" / name).unlink()
    for names in ([name], ["../study.toml"], [str(study.folder / "study.toml")]):
        with pytest.raises(UserError) as error:
            study.exploration.show(names)
        assert error.value.diagnostics[0].code == "EXPLORE003"
    for many in (0, MOST_FILES + 1):
        with pytest.raises(UserError, match="show 1 to"):
            study.exploration.show([study.exploration.index.ids[0]] * many)


def test_an_image_that_is_no_file_has_no_path(study: OpenedStudy) -> None:
    from tests.fakes import colour_dataset

    images = Folders(colour_dataset(2), [0, 1])
    assert (images.file(0), images.any) == (None, False)
    with pytest.raises(UserError, match="no file of its own"):
        images.show([1], desktop("linux"))


def test_files_of_many_folders_are_told_and_not_opened(
    study: OpenedStudy, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MOST_FOLDERS", 1)
    opener = program(programs, "xdg-open")
    index = study.exploration.index
    rows = [int((index.labels == number).argmax()) for number in (0, 1)]
    images = Folders(study.images, study.rows)
    shown = images.show(rows, desktop("linux"))
    assert MOST_FOLDERS > 1
    assert (shown.shown, len(shown.paths), called(opener)) == (False, 2, [])
    assert images.show(rows[:1], desktop("linux")).shown


def test_a_path_whose_bytes_are_no_text_is_told(tmp_path: Path) -> None:
    assert printable(Path(os.fsdecode(b"/a/\xff.png"))) == "/a/\ufffd.png"

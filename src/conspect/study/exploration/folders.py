"""Images of a study that are files of their own, shown in the desktop's file manager.

What is started is the desktop's own program, by its name and with a list of arguments, never a shell; it is told of folders and
files to show, never to open a file. Sources: https://www.freedesktop.org/wiki/Specifications/file-manager-interface/ and the
manuals of xdg-open(1), open(1) of macOS, and explorer.exe.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from urllib.parse import quote

from conspect.core.capabilities import file_of
from conspect.core.diagnostics import user_error
from conspect.core.protocols import ImageDataset
from conspect.results.exploration import ShownFiles

MOST_FILES, MOST_FOLDERS = 100, 3
# A program that is still there after so many seconds shows a window.
PATIENCE = 3.0
NO_DESKTOP = "there is no desktop where the explorer runs"
BUS = ["dbus-send", "--session", "--print-reply", "--reply-timeout=2000", "--type=method_call"]
FILE_MANAGER = [
    "--dest=org.freedesktop.FileManager1",
    "/org/freedesktop/FileManager1",
    "org.freedesktop.FileManager1.ShowItems",
]


@dataclass(frozen=True)
class Desktop:
    """Where a file manager would be opened. `platform`: as `sys.platform`; `environment`: of the explorer's process."""

    platform: str
    environment: Mapping[str, str]

    @classmethod
    def own(cls) -> Desktop:
        """The one of this process."""
        return cls(sys.platform, os.environ)

    @property
    def why_none(self) -> str | None:
        """Why no window can be opened, as far as is known before it is tried."""
        if (
            self.platform in ("darwin", "win32")
            or self.environment.get("DISPLAY")
            or self.environment.get("WAYLAND_DISPLAY")
        ):
            return None
        return NO_DESKTOP

    def show(self, paths: Sequence[Path]) -> str | None:
        """Shows files, absolute and there, in their folders; None, or why that is not possible."""
        if self.why_none is not None:
            return self.why_none
        if self.platform == "darwin":
            return _started(["open", "-R", *map(str, paths)])
        folders = [str(folder) for folder in dict.fromkeys(path.parent for path in paths)]
        if self.platform == "win32":
            # The file manager of Windows ends with 1 whether or not it shows a window.
            calls = [["explorer", f"/select,{paths[0]}"], *(["explorer", folder] for folder in folders[1:])]
            return next((why for call in calls if (why := _started(call, any_end=True)) is not None), None)
        # It takes commas between entries, which are escaped in addresses as everything else is.
        addresses = ",".join("file://" + quote(os.fsencode(path)) for path in paths)
        if _started([*BUS, *FILE_MANAGER, f"array:string:{addresses}", "string:"]) is None:
            return None
        return next((why for folder in folders if (why := _started(["xdg-open", folder])) is not None), None)


class Folders:
    """The images of one data set, `rows` those that the explorer knows, and the files of those that have one."""

    def __init__(self, images: ImageDataset, rows: Sequence[int]) -> None:
        self._images, self._rows = images, rows

    def file(self, row: int) -> Path | None:
        """Where the file of the image in `row` is; None where it has none of its own."""
        path = file_of(self._images, int(self._rows[row]))
        return None if path is None else path.absolute()

    @property
    def any(self) -> bool:
        """Whether images are files: asked of the first."""
        return bool(len(self._rows)) and self.file(0) is not None

    def show(self, rows: Sequence[int], desktop: Desktop) -> ShownFiles:
        """Shows the files of the images in `rows`, or says where they are.

        Raises UserError EXPLORE002 for too many, EXPLORE003 for an image that is no file, or whose file is gone.
        """
        if not 1 <= len(rows) <= MOST_FILES:
            raise user_error("EXPLORE002", f"{len(rows):,} images", f"show 1 to {MOST_FILES} at once")
        paths = []
        for row in rows:
            path = self.file(row)
            name = self._images.ids[int(self._rows[row])]
            if path is None:
                problem = f"{name[:100]!r} is no file of its own: it lies in an archive or a table of the data set"
                raise user_error("EXPLORE003", problem, "look at it on its page")
            if not path.is_file():
                raise user_error(
                    "EXPLORE003", f"the file of {name[:100]!r} is gone", "it was moved or deleted; run the study again"
                )
            paths.append(path)
        folders = len({path.parent for path in paths})
        too_many = f"they lie in {folders} folders, and {MOST_FOLDERS} are opened at most"
        why = desktop.show(paths) if folders <= MOST_FOLDERS else too_many
        return ShownFiles(why is None, why, tuple(map(printable, paths)))


def printable(path: Path) -> str:
    """A path as text: bytes of a name that are none are marked."""
    return os.fsencode(path).decode("utf-8", "replace")


def _started(command: Sequence[str], *, any_end: bool = False) -> str | None:
    """Starts a program of the desktop; None where it ends well or shows a window, else why not."""
    if shutil.which(command[0]) is None:
        return f"the program {command[0]} is not installed"
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"{command[0]} cannot be started: {error}"
    with suppress(subprocess.TimeoutExpired):
        code = process.wait(PATIENCE)
        return None if code == 0 or any_end else f"{command[0]} ended with {code}: no file manager was found"
    Thread(target=process.wait, daemon=True).start()
    return None

"""An image folder: `ROOT/class/name.jpg`. Classes are the sub-folders in alphabetical order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conspect.adapters.datasets.catalogue import Catalogue, Files
from conspect.adapters.datasets.columns import refuse_names_but_for_capitals, refuse_two_readings
from conspect.adapters.datasets.image_files import SUFFIXES
from conspect.adapters.datasets.names import check_names, composed
from conspect.core.diagnostics import SourceLocation, user_error

if TYPE_CHECKING:
    from conspect.adapters.datasets.names import LabelKind

# What file managers, archivers and storage systems put between images: never a class, never an image of the data set.
JUNK_FOLDERS = {
    "@eadir", "__macosx", "lost+found", "#recycle", "$recycle.bin", "system volume information", "thumbs", "thumbnails",
    "__pycache__", "_thumbs", "_thumbnails",
}  # fmt: skip
JUNK_FILES = {"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"}
# How storage systems and programs begin the names of folders of their own, such as @Recently-Snapshot and #snapshot.
JUNK_BEGINNINGS = (".", "@", "#")
SHOWN = 3


@dataclass
class _Omitted:
    """What was left out, by reason, as paths below the root."""

    root: Path
    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, path: Path) -> None:
        self.found.setdefault(reason, []).append(
            os.fsencode(path.relative_to(self.root)).decode("utf-8", "backslashreplace")
        )

    def sentences(self) -> tuple[str, ...]:
        """One a reason, with the number and the first few."""
        sentences = []
        for reason, paths in sorted(self.found.items()):
            endings = Counter(Path(path).suffix.lower() or "none" for path in paths)
            kinds = ", ".join(f"{ending} {count}" for ending, count in endings.most_common(SHOWN))
            more = ", ..." if len(paths) > SHOWN else ""
            shown = ", ".join(sorted(paths)[:SHOWN])
            sentences.append(f"{len(paths)} {reason}{f' ({kinds})' if 'ending' in reason else ''}: {shown}{more}")
        return tuple(sentences)


def load(
    root: Path,
    *,
    split: str = "test",
    name: str | None = None,
    classes: tuple[str, ...] | None = None,
    labels: LabelKind | None = None,
) -> Catalogue:
    """All files with an image's suffix in the class folders of `root`; linked folders are followed once each.

    Ids are paths below `root`, printable in every case; metadata "subfolder" is the folder between class and file. A file
    that later turns out unreadable stays in the counts and is listed; what is no image of the data set is left out, and
    counted in `omissions`. Folders whose names are the same letters written in two ways are one class. `classes`: names for
    folders that are called by number or by synset; `labels` says which where a class is called by a number. Raises UserError
    DATA003 when there is no class folder or no image, DATA007 when folders and `classes` do not fit.
    """
    if not root.is_dir():
        raise user_error("DATA003", f"{root} is not a folder", "give a folder with one sub-folder of images per class")
    omitted = _Omitted(root)
    folders = sorted(_class_folders(root, omitted))
    files_of: dict[Path, list[Path]] = {folder: [] for folder in folders}
    for folder, path in _files(folders, omitted, _Visited(root)):
        if path.suffix.lower() in SUFFIXES:
            files_of[folder].append(path)
        else:
            omitted.add("files of another ending are not read", path)
    for folder in folders:
        if not files_of[folder]:
            omitted.add("class folders have no image", folder)
    files = [path.relative_to(root).as_posix() for folder in folders for path in sorted(files_of[folder])]
    if not files:
        left_out = f"; left out: {'; '.join(omitted.sentences())}" if omitted.found else ""
        fix = f"put them at {root}/CLASS/NAME.jpg (or .png, .webp, ...)"
        raise user_error("DATA003", f"{root} has no images in class folders{left_out}", fix)
    called = [composed(os.fsencode(folder.name).decode("utf-8", "backslashreplace")) for folder in folders]
    names = tuple(dict.fromkeys(called))
    bare = Counter(name.strip() for name in names)
    twice = next((name for name in names if bare[name.strip()] > 1), None)
    if twice is not None:
        two = " and ".join(repr(name) for name in names if name.strip() == twice.strip())
        fix = "rename one of them, or move its images into the other"
        raise user_error("DATA007", f"the class folders {two} differ in spaces alone", fix, SourceLocation(str(root)))
    if classes is None:
        refuse_names_but_for_capitals(names, "the class folders", root)
    class_names = _class_names(names, classes, labels, root)
    indices = [names.index(name) for name, folder in zip(called, folders, strict=True) for _ in files_of[folder]]
    # Names that are not UTF-8 come from the file system as lone surrogates, which cannot be written into results.json.
    ids = tuple(os.fsencode(file).decode("utf-8", "backslashreplace") for file in files)
    between = tuple("/".join(identifier.split("/")[1:-1]) or None for identifier in ids)
    return Catalogue(
        name=name or root.name,
        split=split,
        class_names=class_names,
        ids=ids,
        labels=np.asarray(indices, dtype=np.int64),
        source=Files(root, tuple(files)),
        metadata={"subfolder": between},
        omissions=omitted.sentences(),
    )


def _class_folders(root: Path, omitted: _Omitted) -> Iterator[Path]:
    for entry in root.iterdir():
        if not entry.is_dir():
            if not entry.name.startswith("."):
                omitted.add("files beside the class folders are not read", entry)
        elif _is_junk_folder(entry.name):
            omitted.add("hidden files, thumbnails and leftovers of other programs are left out", entry)
        else:
            yield entry


def _is_junk_folder(name: str) -> bool:
    return name.startswith(JUNK_BEGINNINGS) or name.lower() in JUNK_FOLDERS


def _is_junk_file(name: str) -> bool:
    return name.startswith(".") or name.lower() in JUNK_FILES


@dataclass
class _Visited:
    """The folders that were entered: none is entered twice, for one class or for two, nor one that holds `root` itself."""

    root: Path
    places: set[tuple[int, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        above = self.root.resolve()
        self._above = {(folder.stat().st_dev, folder.stat().st_ino) for folder in (above, *above.parents)}

    def why_not(self, folder: Path) -> str | None:
        """Why a folder is not to be entered; None where it is, which is remembered. Raises OSError."""
        status = folder.stat()
        place = (status.st_dev, status.st_ino)
        if place in self._above:
            return "links lead to a folder that holds the data set itself"
        if place in self.places:
            return "links lead to a folder that is read already"
        self.places.add(place)
        return None


def _files(folders: list[Path], omitted: _Omitted, visited: _Visited) -> Iterator[tuple[Path, Path]]:
    """The files of each class folder, also in linked folders: pairs of class folder and file.

    Folders are entered where they are before links to them: first those of classes, then links called as classes, then links
    inside, so that an image is of the class in whose folder it lies.
    """
    waiting = [(folder, folder) for folder in folders if not folder.is_symlink()]
    linked = [(folder, folder) for folder in folders if folder.is_symlink()]
    while waiting or linked:
        own, current = waiting.pop() if waiting else linked.pop(0)
        try:
            why = visited.why_not(current)
            entries = [] if why else sorted(current.iterdir())
        except OSError:  # a link that leads nowhere, or a folder that may not be entered
            why, entries = "folders cannot be opened", []
        if why:
            omitted.add(why, current)
        for entry in entries:
            inside = entry.is_dir()
            if _is_junk_folder(entry.name) if inside else _is_junk_file(entry.name):
                omitted.add("hidden files, thumbnails and leftovers of other programs are left out", entry)
            elif inside:
                (linked if entry.is_symlink() else waiting).append((own, entry))
            else:
                yield own, entry


def _class_names(
    names: tuple[str, ...], classes: tuple[str, ...] | None, labels: LabelKind | None, root: Path
) -> tuple[str, ...]:
    """What the folders are called; with `classes`, what they stand for where they are called by number or by synset."""
    if classes is None:
        return names
    place = SourceLocation(str(root))
    wanted = tuple(map(composed, classes))
    check_names(wanted, (), "")
    numbers = [int(name) for name in names if name.isdecimal() and name.isascii() and len(name) < 10]
    if len(numbers) == len(names) and labels is None:
        refuse_two_readings(wanted, "a folder called {}", root)
    if set(names) <= set(wanted) and labels != "numbers":
        return names
    if len(numbers) == len(names) and labels != "names":
        if max(numbers) < len(wanted):
            return tuple(wanted[number] for number in numbers)
        counted = "from 1 to as many as there are classes" if max(numbers) == len(wanted) else "beyond the classes"
        fix = "folders called by number count from 0; rename them, or give their names as `classes`"
        raise user_error("DATA007", f"the class folders are numbered {counted}", fix, place)
    # Sorted synsets in the order of the names, as ImageNet's folders and lists are.
    if len(names) == len(wanted) and all(name[:1] == "n" and name[1:].isdecimal() for name in names):
        return wanted
    unknown = sorted(set(names) - set(wanted))
    fix = "folders are called as the classes, by number from 0, or by synset with as many `classes` as folders"
    raise user_error("DATA007", f"no class is called as the folder {unknown[0]!r}", fix, place)

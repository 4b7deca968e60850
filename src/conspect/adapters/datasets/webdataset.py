"""WebDataset shards: tar archives whose files `KEY.jpg`, `KEY.cls`, `KEY.json` make one sample each.

The archives are read where they are, by a reader that unpacks nothing: members are found by their headers and images read
in place. Only images, `.cls`, `.txt` and `.json` are looked at; pickles and arrays in a shard are never opened.
"""

from __future__ import annotations

import json
import re
import tarfile
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from conspect.adapters.datasets.catalogue import Catalogue, EncodedImages
from conspect.adapters.datasets.columns import Columns, describe, require
from conspect.adapters.datasets.image_files import SUFFIXES
from conspect.core.diagnostics import SourceLocation, outside_error, user_error
from conspect.core.files import decoded_text
from conspect.core.json_value import parsed_once
from conspect.core.protocols import ProgressBar, silent

IMAGES = {suffix.removeprefix(".") for suffix in SUFFIXES}
TEXTS = {"cls", "txt", "json"}
JUNK = {"__macosx", "@eadir"}
LARGEST_TEXT, LARGEST_IMAGE = 1 << 20, 1 << 28
MOST_SHARDS = 100_000


@dataclass
class _Sample:
    """Where a sample's image is, and its texts by column."""

    shard: Path
    key: str
    offset: int = 0
    size: int = 0
    fields: dict[str, object] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def fetch(self) -> bytes:
        """The encoded image; empty when the sample has none."""
        with self.shard.open("rb") as stream:
            stream.seek(self.offset)
            return stream.read(self.size)


def load(pattern: str, *, folder: Path, split: str, columns: Columns, bar: ProgressBar = silent) -> Catalogue:
    """The samples of the shards that `pattern` names: a file, a folder, `shards/{000..012}.tar` or `shards/*.tar`.

    Columns are `cls` and `txt` (the text of those files) and the keys of the `.json`. Ids are `SHARD/KEY` without an id
    column. A sample without an image is unreadable and listed. Raises UserError DATA003 when there is no shard, DATA007
    for a column that is missing or wrong, OutsideError DATA002 for a damaged shard, DATA009 for a hostile one.
    """
    shards = shards_of(pattern, folder)
    advance = bar(f"shards ({split})", len(shards))
    samples: list[_Sample] = []
    strays: list[str] = []
    for shard in shards:
        samples += _samples(shard, strays)
        advance(1)
    place = shards[0] if len(shards) == 1 else folder / pattern
    # Such as a zzz.txt that somebody packed too: without an image and without a class it is no sample.
    strays += [
        _members(sample) for sample in samples if not sample.seen & IMAGES and columns.label not in sample.fields
    ]
    samples = [sample for sample in samples if sample.seen & IMAGES or columns.label in sample.fields]
    if samples and not any(sample.seen & IMAGES for sample in samples):
        endings = ", ".join(f".{ending}" for ending in sorted({ending for sample in samples for ending in sample.seen}))
        problem = f"no sample has an image: the members of {len(samples):,} samples end in {endings[:200]}"
        fix = "write images as KEY.jpg or KEY.png; arrays (.npy) are not read, and .seg.png is no ending of an image"
        raise user_error("DATA003", problem, fix, SourceLocation(str(place)))
    if not samples:
        strange = f": {', '.join(strays[:3])} belong to none" if strays else ""
        fix = "name members KEY.jpg and KEY.cls; a key ends at the first dot of a name, so that it can hold none"
        raise user_error("DATA003", f"there is no sample in it{strange}", fix, SourceLocation(str(place)))
    require(columns, dict.fromkeys(name for sample in samples for name in sample.fields), place, image=False)
    table = {name: [sample.fields.get(name) for sample in samples] for name in columns.wanted}
    about = describe(table, columns, place, lambda row: f"sample {samples[row].key!r} of {samples[row].shard.name}")
    called = _names_of(shards)
    ids = about.ids or tuple(f"{called[sample.shard]}/{sample.key}" for sample in samples)
    return Catalogue(
        name=place.parent.name if place.suffix else place.name,
        split=split,
        class_names=about.class_names,
        ids=ids,
        labels=about.labels,
        source=EncodedImages(ids, lambda row: samples[row].fetch()),
        metadata=about.metadata,
        concept_names=about.concept_names,
        concept_labels=about.concept_labels,
        omissions=()
        if not strays
        else (f"{len(strays)} members of shards belong to no sample: {', '.join(strays[:3])}",),
    )


def _names_of(shards: list[Path]) -> dict[Path, str]:
    """What shards are called in ids: their file names, with as much of their folders as tells them apart."""
    longest = max(len(shard.parts) for shard in shards)
    for depth in range(1, longest + 1):
        names = {shard: "/".join((*shard.parts[-depth:-1], shard.stem)) for shard in shards}
        if len(set(names.values())) == len(shards):
            break
    return names


def shards_of(pattern: str, folder: Path) -> list[Path]:
    """The shards that `pattern` names. Raises UserError DATA003 where one of them or all are not there."""
    path = folder / pattern
    if path.is_dir():
        shards = sorted(path.glob("*.tar"))
    elif path.is_file():
        shards = [path]
    else:
        names = _expanded(pattern)
        shards = [folder / name for name in names if (folder / name).is_file()]
        if len(names) == 1 and not shards:
            # The study's own folder may be called by signs that mean something in a pattern.
            nested = [] if path.is_absolute() and Path(pattern).is_absolute() else sorted(folder.glob(pattern))
            shards = sorted(path.parent.glob(path.name)) if path.parent.is_dir() else nested
        missing = len(names) - len(shards)
        if shards and len(names) > 1 and missing:
            problem = f"{missing} of the {len(names)} shards of {pattern} are not there"
            raise user_error("DATA003", problem, "name the shards that are there", SourceLocation(str(folder)))
    if not shards:
        fix = "give a .tar file, a folder of them, or a pattern such as shards/{000..012}.tar"
        raise user_error("DATA003", f"there is no shard at {path}", fix)
    return shards


def _expanded(pattern: str) -> list[str]:
    """The names that `{000..012}` stands for; the pattern itself without braces."""
    parts = re.split(r"\{(\d+)\.\.(\d+)\}", pattern)
    choices: list[list[str]] = [[parts[0]]]
    for low, high, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        numbers = range(int(low), min(int(high), int(low) + MOST_SHARDS) + 1)
        choices += [[str(number).zfill(len(low)) for number in numbers], [text]]
    return ["".join(pieces) for pieces in product(*choices)]


def _samples(shard: Path, strays: list[str]) -> list[_Sample]:
    """The samples of a shard; members that belong to none go to `strays`."""
    samples: dict[str, _Sample] = {}
    try:
        with tarfile.open(shard, mode="r:") as archive, shard.open("rb") as stream:
            for member in archive:
                name = _safe_name(member, shard)
                if name is None:
                    continue
                stem, _, ending = name.name.partition(".")
                if not stem or not ending or any(part.lower() in JUNK for part in name.parts):
                    strays.append(member.name[:100])
                    continue
                key = (name.parent / stem).as_posix()
                sample = samples.setdefault(key, _Sample(shard, key))
                _take(sample, ending.lower(), member, stream)
    except (tarfile.TarError, OSError, EOFError) as error:
        fix = "write the shard again; a compressed one (.tar.gz) must be unpacked to .tar first"
        raise outside_error("DATA002", f"not a whole tar archive: {error}", fix, SourceLocation(str(shard))) from error
    # Such as a README.md: nothing in it is an image, a class or a text.
    strays += [_members(sample) for sample in samples.values() if not sample.seen & (IMAGES | TEXTS)]
    return [sample for sample in samples.values() if sample.seen & (IMAGES | TEXTS)]


def _members(sample: _Sample) -> str:
    return f"{sample.key} ({', '.join(sorted(sample.seen))})"


def _safe_name(member: tarfile.TarInfo, shard: Path) -> PurePosixPath | None:
    """The member's path; None for a folder. Raises OutsideError DATA009 for what a shard has no need of."""
    name = PurePosixPath(member.name)
    if member.isdir():
        return None
    why = None
    if not member.isfile() or member.issparse():
        why = "is a link, a device or a sparse file"
    elif name.is_absolute() or ".." in name.parts or "\0" in member.name or "\\" in member.name:
        why = "leads out of the archive"
    elif member.size > LARGEST_IMAGE:
        why = f"has {member.size:,} bytes"
    if why is not None:
        fix = "do not use this archive; it was not written by WebDataset's writer"
        raise outside_error("DATA009", f"member {member.name[:100]!r} {why}", fix, SourceLocation(str(shard)))
    return name


def _take(sample: _Sample, ending: str, member: tarfile.TarInfo, stream: BinaryIO) -> None:
    """Puts one file of a sample in its place: the image's by position, texts by value."""
    if ending in sample.seen or (ending in IMAGES and sample.seen & IMAGES):
        what = f"a second .{ending}" if ending in sample.seen else f"an image beside another, .{ending}"
        problem = f"the key {sample.key!r} has {what}: which belongs to which label is not known"
        fix = "write the shard again with each key once; tar -r appends what it should replace"
        raise user_error("DATA007", problem, fix, SourceLocation(str(sample.shard)))
    sample.seen.add(ending)
    if ending in IMAGES:
        sample.offset, sample.size = member.offset_data, member.size
    if ending not in ("cls", "txt", "json") or member.size > LARGEST_TEXT:
        return
    stream.seek(member.offset_data)
    content = stream.read(member.size)
    given: dict[str, object] = {}
    try:
        if ending == "json":
            values = parsed_once(content)
            if isinstance(values, dict):
                given = {str(name): _cell(value) for name, value in values.items()}
        else:
            given = {ending: decoded_text(content).strip()}
    except (ValueError, RecursionError) as error:
        problem = f"{member.name[:100]!r} cannot be read: {str(error)[:200]}"
        raise outside_error("DATA002", problem, "write the shard again", SourceLocation(str(sample.shard))) from error
    for name, value in given.items():
        if str(sample.fields.get(name, value)) != str(value):
            problem = f"the key {sample.key!r} has two values of {name!r}, {sample.fields[name]!r} and {value!r}"
            fix = f"keep {name!r} in .json or in .{name}, not in both"
            raise user_error("DATA007", problem, fix, SourceLocation(str(sample.shard)))
    sample.fields |= given


def _cell(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float | bool) else json.dumps(value)

"""Hugging Face data sets: saved folders, folders of data files, and the hub; whole (Arrow, memory-mapped) or streamed.

`datasets` 4 and later run no code of a data set's author; older versions are refused by the dependency.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from conspect.adapters.datasets.catalogue import Catalogue, EncodedImages
from conspect.adapters.datasets.cells import FirstCells, check_column, encoded
from conspect.adapters.datasets.columns import Columns, Table, describe, require
from conspect.adapters.datasets.packages import need
from conspect.adapters.datasets.stream_copy import Row, copy_of
from conspect.core.diagnostics import ConspectError, SourceLocation, outside_error
from conspect.core.digests import digest_json
from conspect.core.network import announce
from conspect.core.protocols import ProgressBar, silent

HUB, OFFLINE = "huggingface.co", "HF_HUB_OFFLINE=1 uses copies alone; `directory` names a local one"


@dataclass(frozen=True)
class Origin:
    """A local folder, or the name of a data set on the hub with the revision that is wanted (None: the newest)."""

    directory: Path | None = None
    hub: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        return str(self.directory) if self.directory is not None else f"hub:{self.hub}"

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.directory.name if self.directory is not None else str(self.hub)


def load(
    origin: Origin,
    *,
    split: str,
    columns: Columns,
    cache: Path,
    streaming: bool = False,
    images: int | None = None,
    bar: ProgressBar = silent,
) -> Catalogue:
    """The rows of a split. Ids are row numbers without an id column; class names come from the data set when it has them.

    `streaming`: the first `images` rows (all when None) are read once, in order, and kept in `cache`. A row without an image
    is unreadable and listed. Raises UserError DATA007 for a column that is missing or wrong, OutsideError DATA001 when the
    hub does not answer, DATA004 when the folder holds no data set, DATA008 without the package.
    """
    need("datasets", "huggingface")
    data = _opened(origin, split, cache, streaming)
    features = data.features
    if features is not None:
        require(columns, features, Path(str(origin)))
        columns = _with_class_names(columns, features, origin)
    data = _undecoded(data, columns)
    table: Table
    if streaming:
        key = digest_json([str(origin), origin.revision, _stamp(origin), split, columns.image, columns.wanted, images])
        rows = _rows(data, columns, origin, images, bar(f"stream ({split})", images or 0))
        copy = copy_of(rows, columns.wanted, cache / "streams" / key[:32])
        table, fetch = copy.table, copy.fetch
    else:
        table = {name: list(data[name]) for name in columns.wanted}
        images_only = data.select_columns([columns.image])
        cells = (images_only[row][columns.image] for row in range(len(data)))
        check_column(cells, columns.image, _type(data, columns), origin.directory, Path(str(origin)))

        def fetch(row: int) -> bytes:
            return _content(images_only[row][columns.image], origin)

    about = describe(table, columns, Path(str(origin)))
    width = len(str(len(about.labels) - 1))
    ids = about.ids or tuple(f"{row:0{width}d}" for row in range(len(about.labels)))
    return Catalogue(
        name=origin.name,
        split=split,
        class_names=about.class_names,
        ids=ids,
        labels=about.labels,
        source=EncodedImages(ids, fetch),
        metadata=about.metadata,
        concept_names=about.concept_names,
        concept_labels=about.concept_labels,
    )


def _opened(origin: Origin, split: str, cache: Path, streaming: bool) -> Any:
    import datasets

    saved = origin.directory is not None and any(
        (origin.directory / name).is_file() for name in ("dataset_dict.json", "state.json")
    )
    try:
        if saved:
            stored = datasets.load_from_disk(str(origin.directory))
            whole = stored[split] if isinstance(stored, datasets.DatasetDict) else stored
            return whole.to_iterable_dataset() if streaming else whole
        where = str(origin.directory or origin.hub)
        options: dict[str, str] = {} if streaming else {"cache_dir": str(cache / "huggingface")}
        if origin.directory is not None and not origin.directory.is_dir():
            raise FileNotFoundError(f"there is no folder {where}")
        if origin.hub is not None:
            announce(f"the data set {where}, unless this machine has its newest copy", HUB, OFFLINE)
        return datasets.load_dataset(where, split=split, revision=origin.revision, streaming=streaming, **options)
    except Exception as error:  # the package raises its own, pyarrow's, fsspec's and the network's errors
        reason = (str(error) or type(error).__name__).splitlines()[0][:300]
        if origin.directory is not None:
            fix = "give a folder of save_to_disk, or one with Parquet, Arrow or image files, and a split that it has"
            raise outside_error(
                "DATA004", f"no split {split!r} to read: {reason}", fix, SourceLocation(str(origin))
            ) from error
        fix = "check name, split and network; or download it and give the folder as `directory`"
        raise outside_error("DATA001", f"{origin}, split {split!r}: {reason}", fix) from error


def _undecoded(data: Any, columns: Columns) -> Any:
    """With the image column as bytes and path: images are decoded by Conspect's own reader, with its limits."""
    import datasets

    feature = None if data.features is None else data.features[columns.image]
    if feature is None or isinstance(feature, datasets.Image):
        return data.cast_column(columns.image, datasets.Image(decode=False))
    return data


def _rows(data: Any, columns: Columns, origin: Origin, images: int | None, advance: Any) -> Iterator[Row]:
    first = FirstCells(columns.image, _type(data, columns), Path(str(origin)))
    for row in islice(_arriving(data, origin), images):
        require(columns, row, Path(str(origin)))
        cell = row[columns.image]
        content = _content(cell, origin)
        first.look(cell, content)
        yield content, {name: row[name] for name in columns.wanted}
        advance(1)
    first.judge()


def _arriving(data: Iterable[Any], origin: Origin) -> Iterator[Any]:
    """The rows. Raises OutsideError DATA001 when the hub breaks off among them, after the package's own tries."""
    rows = iter(data)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except Exception as error:
            if origin.hub is None or isinstance(error, ConspectError):
                raise
            reason = (str(error) or type(error).__name__).splitlines()[0][:300]
            fix = "check the network and run again; or download it and give the folder as `directory`"
            raise outside_error("DATA001", f"{origin} broke off: {reason}", fix) from error
        yield row


def _type(data: Any, columns: Columns) -> str:
    """What the data set says that its image column is."""
    return "of no known type" if data.features is None else str(data.features[columns.image])


def _content(cell: object, origin: Origin) -> bytes:
    """The bytes of an image cell. A path is followed only into the data set's own folder."""
    return encoded(cell, origin.directory)


def _with_class_names(columns: Columns, features: Any, origin: Origin) -> Columns:
    names = getattr(features[columns.label], "names", None)
    return columns.with_classes(tuple(names), Path(str(origin))) if names else columns


def _stamp(origin: Origin) -> list[list[Any]]:
    """What tells one state of a local folder from another without reading it: names, sizes and times of its files."""
    if origin.directory is None:
        return []
    files = sorted(path for path in origin.directory.rglob("*") if path.is_file())
    return [
        [path.relative_to(origin.directory).as_posix(), path.stat().st_size, path.stat().st_mtime_ns] for path in files
    ]

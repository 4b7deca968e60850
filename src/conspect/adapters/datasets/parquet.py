"""Parquet files with encoded images in a column: as bytes, or as Hugging Face writes them, a struct with `bytes`."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

from conspect.adapters.datasets.catalogue import Catalogue, EncodedImages
from conspect.adapters.datasets.cells import check_column, encoded
from conspect.adapters.datasets.columns import Columns, describe, require
from conspect.adapters.datasets.packages import need
from conspect.core.diagnostics import SourceLocation, outside_error, user_error
from conspect.core.json_value import parsed_once

# Images are read a row group at a time; threads that read ahead stay within this many.
GROUPS_KEPT = 4
# The smallest image file has about 26 bytes (GIF); below so many rows nobody need count. Columns of images hardly shrink.
LEAST_BYTES, FEW_ROWS = 20, 100_000
INFLATED, SMALL = 200, 1 << 28
# Values in a column of one row group, such as the pixels of images that are written as lists of numbers.
LARGEST_COLUMN = 1 << 28


def load(path: Path, *, split: str, columns: Columns) -> Catalogue:
    """The rows of a file, or of all `.parquet` files of a folder in alphabetical order.

    Only the columns that are asked for are read; images are read when they are needed. A row without an image is unreadable
    and listed. Ids are row numbers without an id column. Raises UserError DATA003 when there is no file, DATA007 for a
    column that is missing or wrong, OutsideError DATA002 for a damaged file, DATA008 without pyarrow.
    """
    need("pyarrow", "parquet")
    import pyarrow.parquet as pq

    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise user_error("DATA003", f"there is no Parquet file at {path}", "give a .parquet file or a folder of them")
    images = _RowGroups(files, columns.image)
    table: dict[str, list[object]] = {name: [] for name in columns.wanted}
    for file, parquet in zip(files, images.opened, strict=True):
        require(columns, parquet.schema_arrow.names, file)
        _check_sizes(file, parquet.metadata)
        with _whole(file):
            # As dictionaries: one long text that stands in a million rows is kept once.
            texts = [name for name in columns.wanted if _is_text(parquet.schema_arrow.field(name).type)]
            read = pq.ParquetFile(file, read_dictionary=texts).read(columns=list(columns.wanted))
        for name in columns.wanted:
            table[name] += _values(read.column(name))
    _check_images(images, path)
    columns = _with_class_names(columns, [opened.schema_arrow.metadata for opened in images.opened], files)
    about = describe(table, columns, path)
    width = len(str(len(about.labels) - 1))
    ids = about.ids or tuple(f"{row:0{width}d}" for row in range(len(about.labels)))
    return Catalogue(
        name=path.stem,
        split=split,
        class_names=about.class_names,
        ids=ids,
        labels=about.labels,
        source=EncodedImages(ids, images.fetch),
        metadata=about.metadata,
        concept_names=about.concept_names,
        concept_labels=about.concept_labels,
    )


class _RowGroups:
    """The image column of several files, by row, with the last few row groups kept."""

    def __init__(self, files: list[Path], column: str) -> None:
        import pyarrow.parquet as pq

        self.column, self.folder = column, files[0].parent
        self.opened = []
        for path in files:
            with _whole(path):
                self.opened.append(_as_dictionaries(pq.ParquetFile(path), path, column))
        places = list(enumerate(self.opened))
        self.groups = [(files[k], file, group) for k, file in places for group in range(file.num_row_groups)]
        sizes = [file.metadata.row_group(group).num_rows for _, file, group in self.groups]
        self.starts = [0, *accumulate(sizes)]
        self._kept: OrderedDict[int, Any] = OrderedDict()
        self._lock = threading.Lock()

    def fetch(self, row: int) -> bytes:
        """The encoded image of a row; empty where there is none."""
        return encoded(self.cell(row), self.folder)

    def cell(self, row: int) -> object:
        """What stands in the image column of a row."""
        group = bisect_right(self.starts, row) - 1
        with self._lock:
            if group not in self._kept:
                path, file, number = self.groups[group]
                with _whole(path):
                    self._kept[group] = file.read_row_group(number, columns=[self.column]).column(0)
                if len(self._kept) > GROUPS_KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(group)
            value: object = self._kept[group][row - self.starts[group]].as_py()
        return value


def _check_sizes(path: Path, metadata: Any) -> None:
    """Raises OutsideError DATA002 where the file declares more than it can hold: rows without bytes, columns that swell."""
    size = path.stat().st_size
    columns = [
        metadata.row_group(group).column(column)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.row_group(group).num_columns)
    ]
    swollen = max((column.total_uncompressed_size for column in columns), default=0)
    values = max((column.num_values for column in columns), default=0)
    if metadata.num_rows > FEW_ROWS and metadata.num_rows * LEAST_BYTES > size:
        problem = f"it declares {metadata.num_rows:,} rows in {size:,} bytes: fewer bytes than any image has"
    elif values > LARGEST_COLUMN:
        problem = f"a column of one row group declares {values:,} values"
    elif swollen > max(INFLATED * size, SMALL):
        problem = f"a column of one row group declares {swollen:,} bytes, and the file has {size:,}"
    else:
        return
    raise outside_error("DATA002", problem, "write it again, with an image in each row", SourceLocation(str(path)))


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind))


def _values(column: Any) -> list[object]:
    """The column's values; equal texts of a dictionary are one object."""
    values: list[object] = []
    for chunk in column.chunks:
        if hasattr(chunk, "dictionary"):
            words, places = chunk.dictionary.to_pylist(), chunk.indices.to_pylist()
            values += [None if place is None else words[place] for place in places]
        else:
            values += chunk.to_pylist()
    return values


def _as_dictionaries(opened: Any, path: Path, column: str) -> Any:
    """The file with the column's bytes read as dictionaries: one large image that stands in many rows is kept once."""
    import pyarrow.parquet as pq

    leaves = [opened.schema.column(k) for k in range(len(opened.schema))]
    own = [leaf for leaf in leaves if leaf.path.split(".")[0] == column]
    # Within lists Arrow reads no dictionaries.
    texts = [leaf.path for leaf in own if leaf.physical_type == "BYTE_ARRAY" and leaf.max_repetition_level == 0]
    return pq.ParquetFile(path, read_dictionary=texts) if texts else opened


def _check_images(images: _RowGroups, path: Path) -> None:
    """Raises UserError DATA007 with the column's type where its first cells hold no encoded image."""
    import pyarrow.parquet as pq

    kind = str(pq.read_schema(images.groups[0][0]).field(images.column).type) if images.groups else ""
    cells = (images.cell(row) for row in range(images.starts[-1]))
    check_column(cells, images.column, kind, images.folder, path)


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """What pyarrow says of a damaged file inside the block becomes OutsideError DATA002."""
    import pyarrow as pa

    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        problem = f"not a whole Parquet file: {str(error)[:200]}"
        raise outside_error("DATA002", problem, "write it again", SourceLocation(str(path))) from error


def _with_class_names(columns: Columns, metadata: Sequence[Mapping[bytes, bytes] | None], files: list[Path]) -> Columns:
    """With the class names that Hugging Face's writer leaves in files, where the study names none of its own.

    Raises UserError DATA007 where they cannot be read, or differ between files.
    """
    named = [
        (names, file)
        for about, file in zip(metadata, files, strict=True)
        if (names := _own_class_names(about or {}, columns.label, file)) is not None
    ]
    if not named:
        return columns
    first, file = named[0]
    for names, other in named[1:]:
        if names != first:
            shared = min(len(first), len(names))
            number = next((k for k in range(shared) if first[k] != names[k]), shared)
            kinds = " and ".join(
                f"{list(listed)[number]!r} in {place.name}" if number < len(listed) else f"nothing in {place.name}"
                for listed, place in ((first, file), (names, other))
            )
            problem = f"the files have other class names each: {number} in {columns.label!r} is {kinds}"
            raise user_error("DATA007", problem, "write them again with one order of names", SourceLocation(str(other)))
    return columns.with_classes(first, file)


def _own_class_names(metadata: Mapping[bytes, bytes], column: str, path: Path) -> tuple[str, ...] | None:
    """The names of the classes of `column` in the metadata of a file; None where it has none."""
    if b"huggingface" not in metadata:
        return None
    fix = "write it again with datasets, or take its metadata out (pyarrow's Table.replace_schema_metadata)"
    place = SourceLocation(str(path))
    try:
        about = parsed_once(metadata[b"huggingface"])
        feature = about["info"]["features"][column]
    except (KeyError, TypeError):
        return None
    except (ValueError, RecursionError) as error:
        problem = f"what Hugging Face's writer left in its metadata cannot be read: {str(error)[:200]}"
        raise user_error("DATA007", problem, fix, place) from error
    if not isinstance(feature, Mapping) or ("names" not in feature and feature.get("_type") != "ClassLabel"):
        return None
    names = feature.get("names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        problem = f"{column!r} is a ClassLabel by its metadata, whose names are {str(names)[:80]}"
        raise user_error("DATA007", problem, fix, place)
    return tuple(names)

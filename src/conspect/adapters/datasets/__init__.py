"""Data sets: images with ids, labels and a content digest. One module per kind, imported only when used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from conspect.adapters.datasets.names import LabelKind
from conspect.adapters.sources import kinds
from conspect.adapters.sources.kinds import Keys
from conspect.core.protocols import ImageDataset, ProgressBar, silent

if TYPE_CHECKING:
    from conspect.adapters.datasets.columns import Columns

DataKind = Literal["cifar10", "cifar100", "csv", "huggingface", "image-folder", "parquet", "rival10", "webdataset"]


SPLITS, TABLE = ("train", "test"), ("labels", "label_column", "id_column", "concept_columns", "classes")
EVERY = ("slices", "images", "alignment_images")
KINDS: dict[str, Keys] = {
    "cifar10": Keys(takes=("directory", *EVERY)),
    "cifar100": Keys(needs=("directory",), takes=EVERY),
    "csv": Keys(needs=SPLITS, takes=("image_column", *TABLE, "absolute_paths", *EVERY)),
    "huggingface": Keys(
        one_of=("directory", "hub"), takes=("revision", "streaming", *SPLITS, "image_column", *TABLE, *EVERY)
    ),
    "image-folder": Keys(needs=SPLITS, takes=("classes", "labels", *EVERY)),
    "parquet": Keys(needs=SPLITS, takes=("image_column", *TABLE, *EVERY)),
    "rival10": Keys(needs=("directory",), takes=EVERY),
    "webdataset": Keys(needs=SPLITS, takes=(*TABLE, *EVERY)),
}


@dataclass(frozen=True)
class DataSource:
    """Where the images are and how their table is read. None: the kind's default."""

    kind: DataKind = "image-folder"
    train: str | None = None
    test: str | None = None
    directory: str | None = None
    hub: str | None = None
    revision: str | None = None
    streaming: bool | None = None
    image_column: str | None = None
    label_column: str | None = None
    id_column: str | None = None
    concept_columns: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    labels: LabelKind | None = None
    absolute_paths: bool | None = None
    slices: tuple[str, ...] | None = None

    def misfits(self) -> list[tuple[str, str]]:
        """Problems and fixes of keys that the kind lacks or does not use."""
        return kinds.misfits("data", self, KINDS)

    def columns(self) -> Columns:
        """Which column is what, with the kind's own names where nothing is said."""
        from conspect.adapters.datasets.columns import Columns

        return Columns(
            image=self.image_column or ("path" if self.kind == "csv" else "image"),
            label=self.label_column or ("cls" if self.kind == "webdataset" else "label"),
            id=self.id_column,
            slices=self.slices or (),
            concepts=self.concept_columns or (),
            classes=self.classes,
            labels=self.labels,
        )


def open_split(  # noqa: PLR0911
    source: DataSource,
    split: Literal["train", "test"],
    *,
    folder: Path,
    cache: Path,
    images: int | None = None,
    bar: ProgressBar = silent,
) -> ImageDataset:
    """The training or the test images of `source`; relative paths are relative to `folder`, copies are kept in `cache`.

    `images`: no more than so many will be used, so that a kind which reads in order may stop there. Raises the errors of
    the kind's module.
    """
    where = str(source.train if split == "train" else source.test)
    directory = None if source.directory is None else folder / source.directory
    if source.kind == "cifar10":
        from conspect.adapters.datasets import cifar10

        # Images are drawn from the first batches alone when few are wanted: less to read, and still a seeded draw.
        rows = None if images is None else -(-images // cifar10.ROWS_PER_BATCH) * cifar10.ROWS_PER_BATCH
        return cifar10.load(split, directory=directory, cache=cache, images=rows)
    if source.kind == "cifar100":
        from conspect.adapters.datasets import cifar100

        return cifar100.load(split, directory=directory or folder)
    if source.kind == "rival10":
        from conspect.adapters.datasets import rival10

        return rival10.load(split, directory=directory or folder, bar=bar)
    if source.kind == "csv":
        from conspect.adapters.datasets import csv_table

        trusted = bool(source.absolute_paths)
        return csv_table.load(folder / where, split=split, columns=source.columns(), absolute_paths=trusted)
    if source.kind == "parquet":
        from conspect.adapters.datasets import parquet

        return parquet.load(folder / where, split=split, columns=source.columns())
    if source.kind == "webdataset":
        from conspect.adapters.datasets import webdataset

        return webdataset.load(where, folder=folder, split=split, columns=source.columns(), bar=bar)
    if source.kind == "huggingface":
        from conspect.adapters.datasets import huggingface

        name = (source.train if split == "train" else source.test) or split
        streaming = bool(source.streaming)
        origin = huggingface.Origin(directory, source.hub, source.revision)
        return huggingface.load(
            origin, split=name, columns=source.columns(), cache=cache, streaming=streaming, images=images, bar=bar
        )
    from conspect.adapters.datasets import image_folder

    return image_folder.load(folder / where, split=split, classes=source.classes, labels=source.labels)

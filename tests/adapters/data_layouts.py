"""The same few pictures in the layout of each kind of data, as the tools of that kind write them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.adapters.datasets import DataSource
from conspect.adapters.datasets.rival10 import ATTRIBUTES, SYNSETS

SIDE = 32
CLASSES = ("cat", "dog")


@dataclass(frozen=True)
class Picture:
    """One image; `pixels` None: a file that is no image. `fur`: 1, 0 or None for not known."""

    name: str
    label: str
    pixels: NDArray[np.uint8] | None
    weather: str | None = "sun"
    fur: int | None = 1

    @property
    def png(self) -> bytes:
        if self.pixels is None:
            return b"not an image"
        out = io.BytesIO()
        Image.fromarray(self.pixels).save(out, format="PNG")
        return out.getvalue()


def pictures(number: int = 6, *, broken: int | None = None) -> list[Picture]:
    """Alternately cats and dogs, of random pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (number, SIDE, SIDE, 3), dtype=np.uint8)
    made = [
        Picture(f"image-{row}", CLASSES[row % 2], pixels[row], ("sun", "rain", None)[row % 3], (1, 0, None)[row % 3])
        for row in range(number)
    ]
    if broken is not None:
        made[broken] = replace(made[broken], pixels=None)
    return made


def rows_of(some: list[Picture]) -> list[dict[str, object]]:
    return [{"name": p.name, "label": p.label, "weather": p.weather, "fur": p.fur} for p in some]


TABLE: dict[str, Any] = {"id_column": "name", "concept_columns": ("fur",), "slices": ("weather",)}


def image_folder(folder: Path, some: list[Picture]) -> DataSource:
    for picture in some:
        path = folder / "images" / picture.label / str(picture.weather) / f"{picture.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture.png)
    return DataSource("image-folder", "images", "images")


def csv_table(folder: Path, some: list[Picture]) -> DataSource:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "table.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, ["path", "name", "label", "weather", "fur"])
        writer.writeheader()
        for picture, row in zip(some, rows_of(some), strict=True):
            (folder / f"{picture.name}.png").write_bytes(picture.png)
            writer.writerow({"path": f"{picture.name}.png", **row})
    return DataSource("csv", "table.csv", "table.csv", **TABLE)


def parquet(folder: Path, some: list[Picture]) -> DataSource:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "rows").mkdir(parents=True)
    half = len(some) // 2
    for number, part in enumerate((some[:half], some[half:])):
        rows = [{"image": picture.png, **row} for picture, row in zip(part, rows_of(part), strict=True)]
        pq.write_table(pa.Table.from_pylist(rows), folder / "rows" / f"{number}.parquet", row_group_size=2)
    return DataSource("parquet", "rows", "rows", **TABLE)


def huggingface(folder: Path, some: list[Picture]) -> DataSource:
    import datasets

    # Labels that are no classes of these are texts, as tables of people's own hold them.
    known = all(picture.label in CLASSES for picture in some)
    rows = [
        {
            "image": {"bytes": picture.png, "path": None},
            **row,
            "label": CLASSES.index(picture.label) if known else picture.label,
        }
        for picture, row in zip(some, rows_of(some), strict=True)
    ]
    features = datasets.Features(
        image=datasets.Image(),
        name=datasets.Value("string"),
        label=datasets.ClassLabel(names=list(CLASSES)) if known else datasets.Value("string"),
        weather=datasets.Value("string"),
        fur=datasets.Value("int64"),
    )
    whole = datasets.Dataset.from_list(rows, features=features)
    datasets.DatasetDict(train=whole, test=whole).save_to_disk(str(folder / "saved"))
    return DataSource("huggingface", directory="saved", **TABLE)


def streamed(folder: Path, some: list[Picture]) -> DataSource:
    return replace(huggingface(folder, some), streaming=True)


def webdataset(folder: Path, some: list[Picture]) -> DataSource:
    import webdataset as wds

    (folder / "shards").mkdir(parents=True)
    half = len(some) // 2
    for number, part in enumerate((some[:half], some[half:])):
        with wds.TarWriter(str(folder / "shards" / f"{number:03d}.tar")) as out:
            for picture, row in zip(part, rows_of(part), strict=True):
                about = json.dumps(row).encode()
                out.write({"__key__": picture.name, "png": picture.png, "json": about, "cls": _number(picture.label)})
    return DataSource("webdataset", "shards/{000..001}.tar", "shards", classes=CLASSES, **TABLE)


def _number(label: str) -> str:
    return str(CLASSES.index(label)) if label in CLASSES else label


def rival10(folder: Path, some: list[Picture]) -> DataSource:
    synset = {label: wnid for wnid, (label, _) in SYNSETS.items()}
    for split in ("train", "test"):
        root = folder / "RIVAL10" / split / "ordinary"
        root.mkdir(parents=True)
        for number, picture in enumerate(some):
            stem = f"{synset[picture.label]}_{number}"
            (root / f"{stem}.JPEG").write_bytes(picture.png)
            (root / f"{stem}_merged_mask.JPEG").write_bytes(picture.png)
            (root / f"{stem}_attr_dict.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
            if picture.fur is not None:
                labels = np.zeros((2, len(ATTRIBUTES)), dtype=np.int64)
                labels[0, ATTRIBUTES.index("hairy")] = picture.fur
                np.save(root / f"{stem}_attr_labels.npy", labels)
    return DataSource("rival10", directory=".", slices=("synset",))


Layout = Callable[[Path, list[Picture]], DataSource]
LAYOUTS: dict[str, Layout] = {
    "image-folder": image_folder,
    "csv": csv_table,
    "parquet": parquet,
    "huggingface": huggingface,
    "huggingface, streamed": streamed,
    "webdataset": webdataset,
    "rival10": rival10,
}

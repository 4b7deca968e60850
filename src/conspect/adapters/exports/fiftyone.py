"""Rows as a FiftyOne data set on disk: `fiftyone.Dataset.from_dir(FOLDER, dataset_type=fiftyone.types.FiftyOneDataset)`.

    FOLDER/metadata.json    the data set's name; no version, which is the form that every FiftyOne reads
    FOLDER/samples.json     {"samples": [{"filepath": ..., "ground_truth": {"_cls": "Classification", ...}, ...}]}
    FOLDER/data/            images that are no files of their own, as PNG; the others are named where they are

The library itself is not needed.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.adapters.exports.tables import Row
from conspect.core.files import replacing, write_atomically, write_json, writing_to
from conspect.core.json_value import JsonObject

TAKEN = {"id", "filepath", "tags", "metadata", "created_at", "last_modified_at", "ground_truth", "prediction"}


def write_fiftyone(
    rows: Iterable[Row],
    columns: Sequence[str],
    folder: Path,
    *,
    name: str,
    pixels: Callable[[int], NDArray[np.uint8]],
) -> int:
    """`rows` with "id", "path" (None: `pixels(row)` is written), "label", "output", "confidence" and further `columns`.

    Label and output become Classifications; the rest keeps its name, with `_` for what FiftyOne has no use for in a name.
    Samples are written as the rows come; returns how many. Raises OutsideError STORE001.
    """
    fields = _field_names([key for key in columns if key not in ("id", "path", "label", "output", "confidence")])
    count = 0
    with writing_to(folder / "data"), replacing(folder / "samples.json") as out:
        write_json(folder / "metadata.json", {"name": name, "media_type": "image", "info": {"made by": "Conspect"}})
        out.write(b'{"samples": [')
        for number, row in enumerate(rows):
            path = row["path"]
            if path is None:
                path = f"data/{number:06d}.png"
                write_atomically(folder / path, _png(pixels(number)))
            sample = json.dumps(_sample(row, str(path), fields), allow_nan=False, ensure_ascii=False)
            out.write(("\n" if not number else ",\n").encode() + sample.encode())
            count += 1
        out.write(b"\n]}\n")
    return count


def _sample(row: Row, path: str, fields: Mapping[str, str]) -> JsonObject:
    return {
        "filepath": path,
        "tags": ["right" if row["correct"] else "wrong"],
        "metadata": None,
        "ground_truth": {"_cls": "Classification", "tags": [], "label": row["label"]},
        "prediction": {
            "_cls": "Classification",
            "tags": [],
            "label": row["output"],
            "confidence": row["confidence"],
        },
        "image": row["id"],
        **{fields[key]: value for key, value in row.items() if key in fields},
    }


def _field_names(keys: Sequence[str]) -> dict[str, str]:
    """Names of letters, digits and underscores that begin with a letter, each once."""
    names: dict[str, str] = {}
    used = {*TAKEN, "image"}
    for key in keys:
        plain = re.sub(r"\W+", "_", key, flags=re.ASCII).strip("_") or "field"
        name, number = plain, 2
        while name in used or not name[0].isalpha():
            name, number = f"field_{plain}_{number}", number + 1
        used.add(name)
        names[key] = name
    return names


def _png(image: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(out, format="PNG")
    return out.getvalue()

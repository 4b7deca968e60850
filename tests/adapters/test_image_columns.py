"""What people write into a column of images: read, or one error with the column's type, whichever reader meets it."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conspect.adapters.datasets import DataSource, open_split
from conspect.core.diagnostics import UserError
from conspect.core.protocols import ImageDataset

datasets = pytest.importorskip("datasets")
pa = pytest.importorskip("pyarrow")

COLOURS = ((200, 30, 60), (30, 200, 60), (30, 60, 200))


def png(colour: tuple[int, int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (6, 5), colour).save(stream, "PNG")
    return stream.getvalue()


IMAGES = [png(colour) for colour in COLOURS]
CELLS: dict[str, list[Any]] = {
    "bytes": IMAGES,
    "base64": [base64.b64encode(image).decode() for image in IMAGES],
    "base64 of the other alphabet": [base64.urlsafe_b64encode(image).decode() for image in IMAGES],
    "base64 without padding": [base64.b64encode(image).decode().rstrip("=") for image in IMAGES],
    "base64 in lines": [base64.encodebytes(image).decode() for image in IMAGES],
    "base64 as bytes": [base64.b64encode(image) for image in IMAGES],
    "data URLs": ["data:image/png;base64," + base64.b64encode(image).decode() for image in IMAGES],
    "lists of a file's bytes": [list(image) for image in IMAGES],
    "structs": [{"bytes": image, "path": None} for image in IMAGES],
    "paths": ["0.png", "1.png", "2.png"],
}
NO_IMAGES: dict[str, tuple[list[Any], str]] = {
    "pixels in one list": ([[200, 30, 60] * 30] * 3, "holds a list of int"),
    "pixels as nested lists": ([[[[200, 30, 60]] * 6] * 5] * 3, "pixels as nested lists"),
    "floats": ([[0.5, 0.1]] * 3, "a list of float"),
    "raw pixels": ([bytes([200, 30, 60]) * 30] * 3, "bytes such as"),
    "arrays of NumPy": ([b"\x93NUMPY\x01\x00" + bytes(90)] * 3, "an array of NumPy"),
    "hexadecimal text": ([image.hex() for image in IMAGES], "the text '89504e47"),
    "addresses": (["https://a.org/0.png"] * 3, "the text 'https://a.org/0.png', an address"),
    "numbers": ([1, 2, 3], "holds int"),
    "several images a row": ([[image, image] for image in IMAGES], "a list of bytes"),
}


def write(kind: str, folder: Path, cells: list[Any]) -> ImageDataset:
    for number, image in enumerate(IMAGES):
        (folder / f"{number}.png").write_bytes(image)
    if kind == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"image": cells, "label": ["a", "b", "c"]}), folder / "t.parquet")
        source = DataSource("parquet", "t.parquet", "t.parquet")
    else:
        whole = datasets.Dataset.from_dict({"image": cells, "label": ["a", "b", "c"]})
        whole.save_to_disk(str(folder / "saved"))
        for file in folder.glob("*.png"):
            file.rename(folder / "saved" / file.name)
        source = DataSource("huggingface", directory="saved", streaming=kind == "streamed")
    return open_split(source, "test", folder=folder, cache=folder / "cache")


@pytest.mark.parametrize("kind", ["parquet", "huggingface", "streamed"])
@pytest.mark.parametrize("form", CELLS)
def test_images_in_cells_are_read(kind: str, form: str, tmp_path: Path) -> None:
    dataset = write(kind, tmp_path, CELLS[form])
    assert [tuple(dataset.image(row)[0, 0]) for row in range(3)] == list(COLOURS)


@pytest.mark.parametrize("kind", ["parquet", "huggingface", "streamed"])
@pytest.mark.parametrize("form", NO_IMAGES)
def test_a_column_without_images_is_one_error_with_its_type(kind: str, form: str, tmp_path: Path) -> None:
    cells, told = NO_IMAGES[form]
    with pytest.raises(UserError) as caught:
        write(kind, tmp_path, cells)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "DATA007"
    assert diagnostic.problem.startswith("the column 'image' is ")
    assert told in diagnostic.problem
    assert "dictionary" not in diagnostic.problem  # which only this project's own way of reading makes of it


@pytest.mark.parametrize("kind", ["parquet", "huggingface", "streamed"])
def test_one_cell_without_an_image_is_listed_and_no_error(kind: str, tmp_path: Path) -> None:
    dataset = write(kind, tmp_path, [None, b"no image", IMAGES[2]])
    assert np.array_equal(dataset.image(2)[0, 0], COLOURS[2])


@pytest.mark.parametrize("kind", ["parquet", "huggingface"])
@pytest.mark.parametrize("labels", [[["a"], ["b"], ["c"]], [[1, 0], [0, 1], [0, 1]]])
def test_several_labels_a_row_are_refused(kind: str, labels: list[Any], tmp_path: Path) -> None:
    table = {"image": IMAGES, "label": labels}
    if kind == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(pa.table(table), tmp_path / "t.parquet")
        source = DataSource("parquet", "t.parquet", "t.parquet")
    else:
        datasets.Dataset.from_dict(table).save_to_disk(str(tmp_path / "saved"))
        source = DataSource("huggingface", directory="saved")
    with pytest.raises(UserError, match=r"(?s)DATA007: row 1: 'label' holds lists.*give every image one class"):
        open_split(source, "test", folder=tmp_path, cache=tmp_path / "cache")

"""Draws the contact sheets from which `labels_within_class.csv` was written by eye.

    python training/draw_label_sheets.py FOLDER [--cifar10 DIR]

Images of CIFAR-10's training split, `PER_SHEET` on a sheet and three sheets a class, taken by a seed. A number on the sheet is
the image's place on it: `sheet_rows` gives its row in the split. Sheets F teach the lens the few things that neither the
thousand classes of ImageNet nor colors say (the column `use` of the labels says `fit`); sheets A served for tuning; sheets B,
and all labels of seven concepts, serve for nothing but the figures that are reported (`aside`), and no fit takes their images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from conspect.adapters.datasets import cifar10

SEED, PER_SHEET, COLUMNS, SIDE, MARGIN = 20261126, 48, 8, 150, 16
SHEETS = ("A", "B", "F")


def sheet_rows(labels: NDArray[np.int64]) -> dict[tuple[int, str], NDArray[np.int64]]:
    """Rows of the training split on each sheet, by class index and letter."""
    rng = np.random.default_rng(SEED)
    rows = {}
    for label in range(len(cifar10.CLASS_NAMES)):
        taken = rng.permutation(np.flatnonzero(labels == label))[: PER_SHEET * len(SHEETS)]
        for number, letter in enumerate(SHEETS):
            rows[label, letter] = taken[number * PER_SHEET : (number + 1) * PER_SHEET]
    return rows


def labelled_rows(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """All rows that lie on a sheet, ascending."""
    return np.sort(np.concatenate(list(sheet_rows(labels).values())))


def draw(images: list[NDArray[np.uint8]]) -> Image.Image:
    """The sheet: images enlarged, each under its number."""
    lines = -(-len(images) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * SIDE, lines * (SIDE + MARGIN)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, image in enumerate(images):
        x, y = number % COLUMNS * SIDE, number // COLUMNS * (SIDE + MARGIN)
        sheet.paste(Image.fromarray(image).resize((SIDE - 4, SIDE - 2), Image.Resampling.BICUBIC), (x + 2, y + MARGIN))
        pen.text((x + 4, y + 2), str(number), fill="black")
    return sheet


def main() -> None:
    """Draws all sheets into the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cifar10", type=Path)
    options = parser.parse_args()
    train = cifar10.load("train", directory=options.cifar10, cache=Path(platformdirs.user_cache_dir("conspect")))
    options.folder.mkdir(parents=True, exist_ok=True)
    for (label, letter), rows in sheet_rows(train.labels).items():
        name = f"{cifar10.CLASS_NAMES[label]}_{letter}.png"
        draw([train.image(int(row)) for row in rows]).save(options.folder / name)


if __name__ == "__main__":
    main()

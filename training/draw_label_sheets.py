"""Draws the contact sheets from which `labels_within_class.csv`, and the labels of the demo, were written by eye.

    python training/draw_label_sheets.py FOLDER [--cifar10 DIR]

Sheets D are of the demo's own test images, twice `PER_DEMO_SHEET` a class: the first of the order in which the demo draws them,
so that a demo of few images has most of them. `src/conspect/assets/cifar10_labels_by_eye.csv` was written from them before any
strength of these images was looked at, and serves for nothing but what a study says of how its concepts are seen.

All others are images of CIFAR-10's training split, `PER_SHEET` on a sheet and three sheets a class, taken by a seed. A number on
the sheet is the image's place on it: `sheet_rows` gives its row in the split. Sheets F teach the lens the few things that neither
the thousand classes of ImageNet nor colors say (the column `use` of the labels says `fit`); sheets A served for tuning; sheets B,
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
# The demo's seed, and larger pictures: its concepts are smaller things than colors and grounds.
DEMO_SEED, PER_DEMO_SHEET, DEMO_SHEETS, DEMO_COLUMNS, DEMO_SIDE = 0, 24, 2, 6, 214


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


def demo_sheet_rows(labels: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Rows of the test split on the demo's sheets, by class index, in order of their numbers."""
    order = np.random.default_rng(DEMO_SEED).permutation(len(labels))
    classes = range(len(cifar10.CLASS_NAMES))
    return {label: order[labels[order] == label][: PER_DEMO_SHEET * DEMO_SHEETS] for label in classes}


def draw(images: list[NDArray[np.uint8]], *, first: int = 0, columns: int = COLUMNS, side: int = SIDE) -> Image.Image:
    """The sheet: images enlarged, each under its number, of which `first` is the lowest."""
    lines = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * side, lines * (side + MARGIN)), "white")
    pen = ImageDraw.Draw(sheet)
    for place, image in enumerate(images):
        x, y = place % columns * side, place // columns * (side + MARGIN)
        sheet.paste(Image.fromarray(image).resize((side - 4, side - 2), Image.Resampling.BICUBIC), (x + 2, y + MARGIN))
        pen.text((x + 4, y + 2), str(first + place), fill="black")
    return sheet


def main() -> None:
    """Draws all sheets into the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cifar10", type=Path)
    options = parser.parse_args()
    cache = Path(platformdirs.user_cache_dir("conspect"))
    train = cifar10.load("train", directory=options.cifar10, cache=cache)
    test = cifar10.load("test", directory=options.cifar10, cache=cache)
    options.folder.mkdir(parents=True, exist_ok=True)
    for (label, letter), rows in sheet_rows(train.labels).items():
        name = f"{cifar10.CLASS_NAMES[label]}_{letter}.png"
        draw([train.image(int(row)) for row in rows]).save(options.folder / name)
    for label, rows in demo_sheet_rows(test.labels).items():
        for number in range(DEMO_SHEETS):
            first = number * PER_DEMO_SHEET
            images = [test.image(int(row)) for row in rows[first : first + PER_DEMO_SHEET]]
            sheet = draw(images, first=first, columns=DEMO_COLUMNS, side=DEMO_SIDE)
            sheet.save(options.folder / f"{cifar10.CLASS_NAMES[label]}_D{number}.png")


if __name__ == "__main__":
    main()

"""MAITE's image-classification data sets to ours and ours to MAITE's (docs of JATIC's `maite` 0.8 and later).

MAITE's protocol is structural: `len(data)`, and `data[i]` as image `[channel, y, x]`, target `[class]` (one hot, or
probabilities) and a dict with "id"; `data.metadata["index2label"]` names the classes. The package itself is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.datasets.catalogue import Catalogue
from conspect.adapters.datasets.image_files import unreadable
from conspect.core.capabilities import metadata_of
from conspect.core.diagnostics import user_error
from conspect.core.digests import digest_bytes
from conspect.core.protocols import ImageDataset, ProgressBar, silent

# What sharpening or another resize makes of 0..1 ends below this.
DARK = 2


@dataclass(frozen=True)
class _MaiteImages:
    dataset: Any
    names: tuple[str, ...]
    white: float

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `[height, width, 3]` uint8, RGB. Raises UnreadableImage."""
        return _to_rgb(self.dataset[index][0], self.names[index], self.white)

    def digests(self) -> list[str]:
        """Of each image as it comes."""
        images = (np.ascontiguousarray(self.dataset[index][0]) for index in range(len(self.names)))
        return [
            digest_bytes(f"{image.dtype.str}{image.shape}{self.white!r}".encode(), image.tobytes()) for image in images
        ]


def from_maite(
    dataset: Any, *, split: str, name: str | None = None, white: float | None = None, bar: ProgressBar = silent
) -> Catalogue:
    """A MAITE data set as one of ours: texts and numbers of its datum metadata become metadata columns.

    `white`: the value of a white pixel. None: 255 of uint8 images, and of floats what all of them agree with (1 where none
    is larger, 255 where all go up to about that). The class is the target's one largest entry. An image of another shape or
    outside 0..white is unreadable. Raises UserError DATA007 when classes or targets are not as MAITE says, or white must be said.
    """
    about = dict(getattr(dataset, "metadata", {}))
    names = about.get("index2label")
    if not isinstance(names, Mapping) or sorted(names) != list(range(len(names))) or not names:
        fix = 'give it metadata {"id": ..., "index2label": {0: "cat", 1: "dog"}}'
        raise user_error("DATA007", "the MAITE data set does not name its classes 0, 1, 2, ...", fix)
    advance = bar(f"targets ({split})", len(dataset))
    ranges = _Ranges()
    labels: list[int] = []
    details: list[Mapping[str, object]] = []
    last = True
    for index in range(len(dataset)):
        image, target, metadata = dataset[index]
        shape = np.shape(image)
        last = last and len(shape) == 3 and shape[0] not in (1, 3) and shape[2] in (1, 3)
        if white is None:
            ranges.add(np.asarray(image), str(metadata.get("id", index)))
        scores = np.asarray(target, dtype=np.float64)
        if scores.shape != (len(names),) or not np.isfinite(scores).all():
            fix = f"targets are {len(names)} scores, one for each class"
            raise user_error("DATA007", f"the target of datum {index} has shape {scores.shape}", fix)
        largest = np.flatnonzero(scores == scores.max())
        if len(largest) > 1 or not scores.any():
            scored = (
                "0 for every class"
                if not scores.any()
                else f"{scores.max():.3g} for {' and for '.join(repr(str(names[int(place)])) for place in largest[:3])}"
            )
            problem = f"the target of datum {index} ({str(metadata.get('id', index))!r}) gives no class: it is {scored}"
            raise user_error("DATA007", problem, "give every image one class that scores more than all others")
        labels.append(int(scores.argmax()))
        details.append(metadata)
        advance(1)
    if last and labels:
        problem = f"images of the MAITE data set are {list(shape)}, with the channels last"
        fix = "MAITE's are channels first: numpy.moveaxis(image, -1, 0)"
        raise user_error("DATA007", problem, fix)
    if white is None:
        white = ranges.white()
    ids = tuple(str(detail.get("id", index)) for index, detail in enumerate(details))
    columns = {key for detail in details for key in detail if key != "id"}
    return Catalogue(
        name=name or str(about.get("id", "maite")),
        split=split,
        class_names=tuple(str(names[index]) for index in range(len(names))),
        ids=ids,
        labels=np.asarray(labels, dtype=np.int64),
        source=_MaiteImages(dataset, ids, white),
        metadata={key: tuple(_text(detail.get(key)) for detail in details) for key in sorted(columns)},
    )


class DatasetMetadata(TypedDict):
    """What MAITE asks a data set to say of itself."""

    id: str
    index2label: dict[int, str]


@dataclass(frozen=True)
class MaiteDataset:
    """One of our data sets as MAITE's protocol wants it: image `[3, y, x]` uint8, one-hot target `[class]`, metadata."""

    dataset: ImageDataset

    @property
    def metadata(self) -> DatasetMetadata:
        """Its id and the names of its classes."""
        data = self.dataset
        return {"id": f"{data.name}/{data.split}", "index2label": dict(enumerate(data.class_names))}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], dict[str, str]]:
        """Image, target and metadata of one row; IndexError beyond the last. Raises UnreadableImage."""
        if not 0 <= index < len(self.dataset):
            raise IndexError(index)
        target = np.zeros(len(self.dataset.class_names), dtype=np.float32)
        target[self.dataset.labels[index]] = 1
        columns = metadata_of(self.dataset)
        about = {name: text for name, values in columns.items() if (text := values[index]) is not None}
        image = np.ascontiguousarray(self.dataset.image(index).transpose(2, 0, 1))
        return image, target, {**about, "id": self.dataset.ids[index]}


@dataclass
class _Ranges:
    """The values of the images of a split: which of them is white is decided over all."""

    types: set[str] = field(default_factory=set)
    low: float = 0.0
    high: float = 0.0
    count: int = 0
    dark: list[str] = field(default_factory=list)

    def add(self, values: NDArray[Any], name: str) -> None:
        """One more image; what is no finite numbers is left to be unreadable, by name."""
        if values.dtype.kind not in "uif" or not np.isfinite(values).all():
            return
        high = float(values.max(initial=0))
        self.types.add(str(values.dtype))
        self.low, self.high = min(self.low, float(values.min(initial=0))), max(self.high, high)
        self.count += 1
        if 0 < high <= DARK:
            self.dark.append(name)

    def white(self) -> float:
        """The value of white. Raises UserError DATA007 where it must be said."""
        # Whole numbers that go up to 1 are masks, or floats in 0..1 that were cast: nearly black if 255 were white.
        if self.low == self.high == 0:
            return 255.0
        floats = all(name.startswith("float") for name in self.types)
        if floats and self.low >= 0 and self.high <= 1:
            return 1.0
        whole = self.types <= {"uint8"} and self.high > 1
        # Floats up to 255, of which some are beyond what sharpening or another resize makes of 0..1.
        if whole or (floats and self.low >= 0 and DARK < self.high <= 255):
            if self.dark:
                self._refuse_mixed()
            return 255.0
        ranges = f"images are {' and '.join(sorted(self.types))}, from {self.low:.3g} to {self.high:.3g}"
        fix = "say it: white=1 for images of floats in 0..1, white=65535 for 16 bits; from black, 0"
        raise user_error("DATA007", f"{ranges}: which value is white?", fix)

    def _refuse_mixed(self) -> None:
        shown = ", ".join(map(repr, self.dark[:3])) + (", ..." if len(self.dark) > 3 else "")
        problem = (
            f"{len(self.dark):,} of {self.count:,} images go no higher than {DARK} ({shown}), others up to {self.high:.3g}: with "
            f"white=255 those would be black, with white=1 the others cannot be read"
        )
        raise user_error("DATA007", problem, "scale all images alike; or say white=255 if those are meant to be black")


def _to_rgb(image: Any, name: str, white: float) -> NDArray[np.uint8]:
    values = np.asarray(image)
    if values.ndim != 3 or values.shape[0] not in (1, 3) or values.dtype.kind not in "uif":
        raise unreadable(name, f"shape {values.shape} of {values.dtype}, expected 1 or 3 channels first")
    values = np.broadcast_to(values, (3, *values.shape[1:])).transpose(1, 2, 0)
    if values.dtype == np.uint8 and white == 255.0:
        return np.ascontiguousarray(values)
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= white):
        raise unreadable(name, f"values outside 0..{white:g}")
    return np.ascontiguousarray(np.rint(values * (255.0 / white)).astype(np.uint8))


def _text(value: object) -> str | None:
    return None if value is None else str(value)

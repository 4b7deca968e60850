"""What happens to an image before a network sees it: resize, crop, scale, normalise, with Pillow and NumPy alone.

The steps, and the JSON they are read from, are those of the Hugging Face `preprocessor_config.json`, which most exported
models carry beside them. Source: the documented keys of that file; tests compare the values with transformers' own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.adapters.images.known_images import known_images
from conspect.core.diagnostics import SourceLocation, user_error

FILE = "preprocessor_config.json"
AGREEMENT = 1e-5
WARPED_FROM = 384  # ConvNeXt's processor warps to a square from this side on, and crops below
# Keys that change nothing for RGB images of any size.
IGNORED = {
    "data_format", "default_to_square", "device", "disable_grouping", "do_convert_rgb", "feature_extractor_type",
    "image_processor_type", "image_seq_length", "input_data_format", "pad_size", "processor_class",
    "return_tensors",
}  # fmt: skip
KNOWN = {
    "do_resize", "size", "resample", "crop_pct", "do_center_crop", "crop_size", "do_rescale", "rescale_factor",
    "do_normalize", "image_mean", "image_std",
}  # fmt: skip


class Preparation(Protocol):
    """What an adapter needs of a preprocessing, its own or a library's."""

    @property
    def sentence(self) -> str:
        """One sentence for the report."""

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[height, width, 3]` uint8 RGB to what the network takes; thread-safe."""


@dataclass(frozen=True)
class LibraryPreparation:
    """A library's own transform, and this project's reading of it where both give the same on the known images."""

    transform: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    description: str
    reading: Preprocessing | None = None

    @classmethod
    def checked(
        cls,
        transform: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
        reading: Callable[[], Preprocessing],
        description: str,
    ) -> LibraryPreparation:
        """Keeps `reading()` when it can be made and agrees with `transform` to `AGREEMENT`."""
        try:
            ours = reading()
            agrees = all(_close(ours(image), transform(image)) for image in known_images())
        except (ValueError, TypeError, KeyError):
            agrees = False
        return cls(transform, ours.sentence, ours) if agrees else cls(transform, description)

    @property
    def sentence(self) -> str:
        """One sentence for the report."""
        return self.description

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[height, width, 3]` uint8 RGB to what the network takes."""
        return self.transform(image)


def _close(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> bool:
    return ours.shape == theirs.shape and bool(np.abs(ours - theirs).max() <= AGREEMENT)


@dataclass(frozen=True)
class Preprocessing:
    """Resize, then a crop around the centre, then (value x scale - mean) / deviation; `[3, y, x]` float32.

    `resize`: (height, width), or one number for the shorter edge with the aspect ratio kept, or None. `crop`: (height,
    width) or None; an image smaller than its crop is laid on zeros. `filter` is Pillow's number of the resampling filter.
    """

    resize: tuple[int, int] | int | None
    crop: tuple[int, int] | None = None
    filter: int = int(Image.Resampling.BILINEAR)
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def side(self) -> tuple[int, int] | None:
        """Height and width of what comes out, where that does not depend on the image."""
        return self.crop or (self.resize if isinstance(self.resize, tuple) else None)

    @property
    def keeps_framed(self) -> bool:
        """True when framing does not change an image that is already as the network takes it."""
        kept = (None, self.side, self.side[0] if self.side and self.side[0] == self.side[1] else None)
        return self.side is not None and self.resize in kept

    @property
    def sentence(self) -> str:
        """One sentence for the report."""
        name = Image.Resampling(self.filter).name.lower()
        steps = []
        if isinstance(self.resize, tuple):
            steps.append(f"resized to {self.resize[0]} x {self.resize[1]} ({name}, aspect ratio not kept)")
        elif self.resize is not None:
            steps.append(f"shorter edge resized to {self.resize} ({name})")
        if self.crop is not None:
            steps.append(f"the central {self.crop[0]} x {self.crop[1]} cut out")
        return ", ".join([*steps, f"times {self.scale:.6g}, minus {list(self.mean)}, over {list(self.deviation)}"])

    def framed(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The resized and cropped image `[y, x, 3]`, uint8."""
        height, width = image.shape[:2]
        wanted = self.resize
        if isinstance(wanted, int):
            shorter, longer = sorted((height, width))
            longer = int(wanted * longer / shorter)
            wanted = (wanted, longer) if height <= width else (longer, wanted)
        if wanted is not None and wanted != (height, width):
            image = np.asarray(Image.fromarray(image).resize(wanted[::-1], Image.Resampling(self.filter)))
        return image if self.crop is None else _central(image, *self.crop)

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[height, width, 3]` uint8 RGB to `[3, y, x]` float32."""
        scaled = (self.framed(image).astype(np.float64) * self.scale).astype(np.float32)
        mean, deviation = np.asarray(self.mean, np.float32), np.asarray(self.deviation, np.float32)
        return np.ascontiguousarray(((scaled - mean) / deviation).transpose(2, 0, 1))

    def to_json(self) -> dict[str, Any]:
        """All that decides the values, for digests."""
        return asdict(self)


def _central(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    over_y, over_x = max(height - image.shape[0], 0), max(width - image.shape[1], 0)
    if over_y or over_x:
        # Half of the margin before, rounded up, as transformers lays it.
        before_y, before_x = -(-over_y // 2), -(-over_x // 2)
        image = np.pad(image, ((before_y, over_y - before_y), (before_x, over_x - before_x), (0, 0)))
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def reading_of(preparation: Preparation) -> Preprocessing | None:
    """The steps of a preparation, where they are known."""
    return (
        preparation.reading
        if isinstance(preparation, LibraryPreparation)
        else (preparation if isinstance(preparation, Preprocessing) else None)
    )


def what_was_checked(preparation: Preparation) -> tuple[str, ...]:
    """For the statement of an adapter."""
    if isinstance(preparation, LibraryPreparation) and preparation.reading is not None:
        return (
            f"the preprocessing, read from the model's configuration, is its library's own to {AGREEMENT:g} on four images",
        )
    return ()


def read_preprocessing(path: Path) -> Preprocessing:
    """The preprocessing in a `preprocessor_config.json`, or in a file of the same keys.

    Raises UserError MODEL002 for a file that is not there or asks for a step that is not known here.
    """
    try:
        return from_config(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise user_error(
            "MODEL002",
            f"not a preprocessing: {error if not isinstance(error, KeyError) else f'{error} is missing'}",
            "the keys are those of a Hugging Face preprocessor_config.json; docs/models.md has an example",
            SourceLocation(str(path)),
        ) from error


def from_config(config: Mapping[str, Any]) -> Preprocessing:
    """The steps that a `preprocessor_config.json` asks for. Raises ValueError, TypeError or KeyError."""
    if not isinstance(config, Mapping):
        raise ValueError("a JSON object is needed")
    strange = sorted(key for key, value in config.items() if key not in IGNORED | KNOWN and value not in (None, False))
    if strange:
        raise ValueError(f"unknown steps: {', '.join(strange)}")
    resize, crop = _geometry(config)
    normalises = config.get("do_normalize", True)
    return Preprocessing(
        resize=resize,
        crop=crop,
        filter=int(Image.Resampling(config.get("resample", Image.Resampling.BILINEAR))),
        scale=float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0,
        mean=_triple(config["image_mean"]) if normalises else (0.0, 0.0, 0.0),
        deviation=_triple(config["image_std"]) if normalises else (1.0, 1.0, 1.0),
    )


def _geometry(config: Mapping[str, Any]) -> tuple[tuple[int, int] | int | None, tuple[int, int] | None]:
    resize = _size(config["size"]) if config.get("do_resize", True) else None
    # Without `do_center_crop` a `crop_size` is only a leftover in old files.
    crop = _size(config["crop_size"]) if config.get("do_center_crop", False) else None
    crop = (crop, crop) if isinstance(crop, int) else crop
    if config.get("crop_pct") is not None and resize is not None:
        if not isinstance(resize, int):
            raise ValueError("crop_pct needs a size with shortest_edge")
        if resize >= WARPED_FROM:
            return (resize, resize), crop
        return int(resize / config["crop_pct"]), (resize, resize)
    return resize, crop


def _size(value: object) -> tuple[int, int] | int:
    if isinstance(value, int) and not isinstance(value, bool):
        sides: tuple[Any, ...] = (value, value)
    elif isinstance(value, Mapping) and {key for key in value if value[key] is not None} == {"height", "width"}:
        sides = (value["height"], value["width"])
    elif isinstance(value, Mapping) and {key for key in value if value[key] is not None} == {"shortest_edge"}:
        sides = (value["shortest_edge"],)
    else:
        raise ValueError(f"size {value!r} is neither height and width nor shortest_edge")
    if not all(isinstance(side, int) and 0 < side <= 10_000 for side in sides):
        raise ValueError(f"size {value!r} is not made of whole numbers from 1 to 10,000")
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])


def _triple(value: object) -> tuple[float, float, float]:
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise ValueError(f"{value!r} is not three numbers")
    red, green, blue = (float(one) for one in value)
    return red, green, blue

"""What happens to an image before a network sees it: resize, crop, scale, normalise, with Pillow and NumPy alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.core.diagnostics import user_error
from conspect.core.json_value import JsonObject

# Of red, green and blue.
Triple: TypeAlias = tuple[float, float, float]


class Preparation(Protocol):
    """What an adapter needs of a preprocessing, its own or a library's."""

    @property
    def sentence(self) -> str:
        """One sentence for the report."""

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[height, width, 3]` uint8 RGB to what the network takes; thread-safe."""


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
    mean: Triple = (0.0, 0.0, 0.0)
    deviation: Triple = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        """Numbers of other libraries become Python's. Raises UserError MODEL004 for what would make no image of an image."""
        for name, numbers, length in (
            ("mean", self.mean, 3),
            ("deviation", self.deviation, 3),
            ("scale", (self.scale,), 1),
        ):
            try:
                values = tuple(float(number) for number in numbers)
            except (TypeError, ValueError):
                values = ()
            divides = name != "mean"
            if len(values) != length or not all(map(isfinite, values)) or (divides and min(map(abs, values)) == 0):
                wanted = "a number" if length == 1 else "three numbers, of red, green and blue"
                fix = f"give {wanted}, finite{' and not 0' if divides else ''}"
                raise user_error("MODEL004", f"the preprocessing's {name} is {getattr(self, name)!r}", fix)
            object.__setattr__(self, name, values if length == 3 else values[0])

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

    def to_json(self) -> JsonObject:
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

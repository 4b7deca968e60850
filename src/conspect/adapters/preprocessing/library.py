"""A library's own transform of images, and this project's reading of it where both give the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.adapters.preprocessing.known_images import known_images
from conspect.adapters.preprocessing.steps import Preparation, Preprocessing
from conspect.core.digests import digest_arrays, digest_json

AGREEMENT = 1e-5


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


@dataclass(frozen=True)
class GreyPreparation:
    """A preparation for a network of one channel: the image is made grey (ITU-R 601) before, and its first channel kept."""

    colour: Preparation

    @property
    def sentence(self) -> str:
        """One sentence for the report."""
        return f"made grey, {self.colour.sentence}, one channel kept"

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[height, width, 3]` uint8 RGB to `[1, y, x]` float32."""
        prepared = self.colour(_grey(image))
        return np.ascontiguousarray(prepared[:1])


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(np.asarray(Image.fromarray(image).convert("L"))[:, :, None], 3, axis=2)


def framed_grey(steps: Preprocessing) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """What makes of an image what a network of one channel sees of it, three times: `[y, x, 3]` uint8."""
    return lambda image: steps.framed(_grey(image))


def preparation_digest(preparation: Preparation) -> str:
    """What decides a preparation's values: its steps where they are known, and what it makes of the known images."""
    reading = reading_of(preparation)
    values = [np.rint(np.asarray(preparation(image), np.float64) * 100).astype(np.int64) for image in known_images()]
    coarse = [digest_arrays({"": array}) for array in values] if reading is None else []
    return digest_json([preparation.sentence, None if reading is None else reading.to_json(), coarse])


def _close(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> bool:
    return ours.shape == theirs.shape and bool(np.abs(ours - theirs).max() <= AGREEMENT)


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

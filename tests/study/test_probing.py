"""What a model's own preparation loses is found by changing pictures before it."""

import numpy as np
import pytest
from PIL import Image

from conspect.adapters.preprocessing import Preprocessing
from conspect.faults.pipelines import PIPELINES
from conspect.study.diagnosing.probing import preparation_of

RNG = np.random.default_rng(0)


def photographs(sides: tuple[int, int], images: int = 4) -> list[np.ndarray]:
    """Smooth coloured noise, as photographs are."""
    small = RNG.integers(0, 256, (images, sides[0] // 4, sides[1] // 4, 3), dtype=np.uint8)
    return [np.asarray(Image.fromarray(pixels).resize(sides[::-1], Image.Resampling.BICUBIC)) for pixels in small]


class Prepared:
    def __init__(self, prepare) -> None:
        self.prepare = prepare

    def embed(self, batch: np.ndarray) -> np.ndarray:
        return batch.reshape(len(batch), -1)


def scaled(image: np.ndarray) -> np.ndarray:
    return ((image.astype(np.float32) - 128) / 64).transpose(2, 0, 1)


@pytest.mark.parametrize("sides", [(32, 32), (300, 400), (64, 50)])
@pytest.mark.parametrize("crop", [1.0, 0.875])
def test_usual_preparations_lose_nothing(sides: tuple[int, int], crop: float) -> None:
    def prepare(image: np.ndarray) -> np.ndarray:
        side = min(image.shape[:2])
        kept = round(side * crop)
        top, left = (image.shape[0] - kept) // 2, (image.shape[1] - kept) // 2
        part = Image.fromarray(image[top : top + kept, left : left + kept])
        return scaled(np.asarray(part.resize((32, 32), Image.Resampling.BICUBIC)))

    preparation = preparation_of(Prepared(prepare), photographs(sides))
    assert preparation is not None
    assert preparation.lost == ()
    assert preparation.enlarged == pytest.approx(1 / crop, abs=0.12)


@pytest.mark.parametrize(
    ("name", "clause"),
    [
        ("in grey", "colours do not reach"),
        ("resized by way of half the size", "fine detail does not reach"),
        ("the middle alone", "the border of the images does not reach"),
        ("a crop forgotten", "% of the size that it takes"),
    ],
)
def test_what_is_lost_is_named(name: str, clause: str) -> None:
    pipeline = next(candidate for candidate in PIPELINES if candidate.name == name)
    preparation = preparation_of(Prepared(lambda image: pipeline.prepare(image, scaled)), photographs((32, 32)))
    assert preparation is not None
    assert len(preparation.lost) == 1
    assert clause in preparation.lost[0]


@pytest.mark.parametrize("name", ["BGR", "no mean", "upside down", "inverted", "values from 0 to 1", "channels GBR"])
def test_what_loses_nothing_is_not_said_to(name: str) -> None:
    pipeline = next(candidate for candidate in PIPELINES if candidate.name == name)
    preparation = preparation_of(Prepared(lambda image: pipeline.prepare(image, scaled)), photographs((32, 32)))
    assert preparation is not None
    assert preparation.lost == ()


def test_nothing_is_said_of_inputs_without_three_channels_or_without_an_answer() -> None:
    assert preparation_of(Prepared(lambda image: image[..., 0].astype(np.float32)), photographs((32, 32))) is None
    assert preparation_of(Prepared(lambda image: 0 * scaled(image)), photographs((32, 32))) is None
    assert preparation_of(Prepared(scaled), []) is None
    assert preparation_of(Prepared(scaled), photographs((8, 8))) is None
    steps = Preprocessing((16, 16), mean=(0.5, 0.5, 0.5))
    preparation = preparation_of(Prepared(steps), photographs((64, 64)))
    assert preparation is not None
    assert preparation.lost == ()

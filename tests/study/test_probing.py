"""What a model's own preparation loses is found by changing pictures before it."""

import numpy as np
import pytest
from PIL import Image

from conspect.adapters.preprocessing import Preprocessing
from conspect.faults.planting import second_series as second
from conspect.faults.planting import third_series as third
from conspect.faults.planting.broken_inputs import broken_inputs
from conspect.faults.planting.pipelines import PIPELINES, Pipeline
from conspect.study.diagnosing.feeding import plain_preparation
from conspect.study.diagnosing.placing import placement_of
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


def known(name: str) -> Pipeline:
    planted = (*PIPELINES, *second.PIPELINES, *third.PIPELINES, *(kind.pipeline for kind in broken_inputs(scaled)))
    return ({pipeline.name: pipeline for pipeline in planted} | OWN)[name]


def tilted(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).rotate(20, Image.Resampling.BILINEAR))


def tiles_exchanged(picture: np.ndarray) -> np.ndarray:
    half = picture.shape[0] // 2
    return np.concatenate([picture[half:], picture[:half]])


OWN = {
    "tilted": Pipeline("tilted", picture=tilted),
    "halves exchanged": Pipeline("halves exchanged", picture=tiles_exchanged),
    "mirrored": Pipeline("mirrored", picture=lambda picture: np.ascontiguousarray(picture[:, ::-1])),
    "no blue": Pipeline("no blue", picture=lambda picture: picture * np.array([1, 1, 0], dtype=np.uint8)),
    "four levels": Pipeline("four levels", picture=lambda picture: picture // 64 * 64),
}
LOST = {
    "in grey": "colours do not reach",
    "red in all channels": "colours do not reach",
    "YCbCr": "colours are mixed",
    "blue at a quarter": "one colour reaches the model at 25 %",
    "no blue": "one colour reaches the model at under 1 %",
    "in linear light": "light and dark do not reach the model evenly",
    "too bright": "light and dark do not reach the model evenly",
    "bright values clipped": "light and dark do not reach the model evenly",
    "four levels": "light and dark do not reach the model evenly",
    "inverted": "light and dark are exchanged",
    "resized by way of half the size": "fine detail does not reach",
    "blurred": "fine detail does not reach",
    "pixelated": "fine detail does not reach",
    "the middle alone": "the border of the images does not reach",
    "a crop forgotten": "at 70 % of the size that it takes",
    "half as high between bars": "at 50 % of the size that it takes",
    "upside down": "are upside down",
    "mirrored": "are mirrored",
    "turned by 180 degrees": "are turned by 180 degrees",
    "turned to the left": "are turned by 90 degrees",
    "height and width exchanged": "have height and width exchanged",
    "tilted": "turned or sheared",
    "rolled by a quarter": "in other places than they belong (44 %",
    "halves exchanged": "in other places than they belong",
    "rows exchanged": "in other places than they belong",
}


@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_is_named(name: str) -> None:
    pipeline = known(name)
    preparation = preparation_of(Prepared(lambda image: pipeline.prepare(image, scaled)), photographs((32, 32)))
    assert preparation is not None
    assert len(preparation.lost) == 1, preparation.lost
    assert LOST[name] in preparation.lost[0]


def test_a_corner_is_neither_whole_nor_in_the_middle() -> None:
    preparation = preparation_of(
        Prepared(lambda image: known("a corner alone").prepare(image, scaled)), photographs((32, 32))
    )
    assert preparation is not None
    assert preparation.enlarged == pytest.approx(2, abs=0.05)
    assert [clause.split(" does")[0] for clause in preparation.lost] == [
        "the border of the images",
        "the middle of the images",
    ]


def test_a_preparation_by_chance_is_said_to_be_one() -> None:
    rng = np.random.default_rng(3)

    def shifted(image: np.ndarray) -> np.ndarray:
        return scaled(np.roll(image, rng.integers(-3, 4), axis=1))

    preparation = preparation_of(Prepared(shifted), photographs((32, 32)))
    assert preparation is not None
    assert preparation.lost == ("the same image is prepared differently each time (augmentation is left on)",)


@pytest.mark.parametrize(
    "name",
    [
        "BGR",
        "no mean",
        "values from 0 to 1",
        "channels GBR",
        "each image by its own mean and deviation",
        "the mean added",
    ],
)
def test_what_loses_nothing_is_not_said_to(name: str) -> None:
    pipeline = known(name)
    preparation = preparation_of(Prepared(lambda image: pipeline.prepare(image, scaled)), photographs((32, 32)))
    assert preparation is not None
    assert preparation.lost == ()


def test_parts_arrive_where_an_affine_map_puts_them() -> None:
    # Twice as large, the part from a quarter of the height and an eighth of the width on.
    def part(picture: np.ndarray) -> np.ndarray:
        return np.repeat(np.repeat(picture[16:48, 8:40], 2, 0), 2, 1).transpose(2, 0, 1).astype(np.float64)

    placement = placement_of(part, 64)
    assert placement is not None
    assert placement.slope == pytest.approx(np.array([[2.0, 0.0], [0.0, 2.0]]))
    assert placement.start == pytest.approx([-0.5, -0.25])
    assert placement.scattered == 0
    assert placement.off_centre == pytest.approx(0.25)


@pytest.mark.parametrize("name", ["in grey", "too bright", "rows exchanged", "a corner alone", "pixelated", "tilted"])
def test_a_plain_preparation_undoes_what_the_own_one_loses(name: str) -> None:
    pipeline, pictures = known(name), photographs((32, 32))
    model = Prepared(lambda image: pipeline.prepare(image, scaled))
    plainly = plain_preparation(model, pictures[0], np.stack([model.prepare(picture) for picture in pictures]))
    assert plainly is not None
    for picture in pictures:
        assert plainly(picture) == pytest.approx(scaled(picture), abs=0.02)


def test_a_plain_preparation_keeps_channels_that_are_exchanged_and_where_they_are() -> None:
    pictures = photographs((40, 48))

    def last(image: np.ndarray) -> np.ndarray:
        return image[:40, 4:44, ::-1].astype(np.float32) / 255

    plainly = plain_preparation(Prepared(last), pictures[0], np.stack([last(picture) for picture in pictures]))
    assert plainly is not None
    assert plainly(pictures[1]) == pytest.approx(last(pictures[1]), abs=1e-6)
    nothing = np.zeros((4, 3, 32, 32), np.float32)
    assert plain_preparation(Prepared(lambda image: nothing[0]), pictures[0], nothing) is None


def test_nothing_is_said_of_inputs_without_three_channels_or_without_an_answer() -> None:
    assert preparation_of(Prepared(lambda image: image[..., 0].astype(np.float32)), photographs((32, 32))) is None
    assert preparation_of(Prepared(lambda image: 0 * scaled(image)), photographs((32, 32))) is None
    assert preparation_of(Prepared(scaled), []) is None
    assert preparation_of(Prepared(scaled), photographs((8, 8))) is None
    steps = Preprocessing((16, 16), mean=(0.5, 0.5, 0.5))
    preparation = preparation_of(Prepared(steps), photographs((64, 64)))
    assert preparation is not None
    assert preparation.lost == ()

"""Changes of the input that may help are tried on further images."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from conspect.analysis.diagnosis.exchange import Exchange
from conspect.analysis.diagnosis.mendings import Mending
from conspect.core.protocols import LayerDeparture
from conspect.core.spaces import Head
from conspect.study.diagnosing.feeding import PICTURE_CHANGES
from conspect.study.diagnosing.gathering import (
    Images,
    clipped_share,
    closeness,
    held_to_records,
    mendings,
    unsteadiness,
)

# Red images are of class 0, blue ones of class 1; the network is fed BGR where it was trained on RGB.
RED, BLUE = (200, 40, 20), (20, 40, 200)


class Bgr:
    """Embeds the mean colour."""

    head = Head.linear(np.array([[1.0, 0.0, -1.0], [-1.0, 0.0, 1.0], [0.0, -9.0, 0.0]]), np.zeros(3))

    def __init__(self, broken: bool) -> None:
        self.broken, self.fed = broken, 0

    def prepare(self, image: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(image[..., ::-1] if self.broken else image).astype(np.float32).transpose(2, 0, 1)

    def embed(self, batch: np.ndarray) -> np.ndarray:
        self.fed += len(batch)
        return batch.mean((2, 3))


def images(number: int) -> Images:
    labels = np.arange(number) % 2
    return Images(
        lambda row: np.full((8, 8, 3), BLUE if labels[row] else RED, dtype=np.uint8),
        labels,
        np.zeros((number, 3), np.float32),
        np.zeros((number, 3), np.float32),
    )


@pytest.mark.parametrize(("number", "named"), [(300, True), (3, False)])
def test_a_change_that_too_few_images_speak_for_is_tried_on_others(number: int, named: bool) -> None:
    # Six images, all mended, are no proof among some thirty changes.
    best = mendings(Bgr(True), images(number), images(number), 6, seed=0)[0]
    assert best.is_named == named
    if named:
        assert best.exchange.images == 400
        assert (best.exchange.fixes, best.exchange.breaks) == (400, 0)


def test_a_sound_input_is_fed_once() -> None:
    model = Bgr(False)
    changes = mendings(model, images(300), images(300), 6, seed=0)
    assert not any(change.is_named or change.is_promising for change in changes)
    assert model.fed == 6 * (len(changes) + 1)


class RecordedColours(Bgr):
    """A record of the mean colour, as norms keep one, of pictures in the right order of channels."""

    def departures(self, batches: Iterable[np.ndarray]) -> tuple[LayerDeparture, ...]:
        mean = np.concatenate([batch.mean((2, 3)) for batch in batches])[:, 0].mean()
        return (LayerDeparture("first", abs(float(mean) - 110) / 100),)


@pytest.mark.parametrize("recorded", [False, True])
def test_a_change_that_puts_the_first_norm_off_its_record_makes_up_for_something_else(recorded: bool) -> None:
    helps = Mending("values raised", "add one deviation", Exchange(40, 0, 100), 1e-9, 0.5)
    model = RecordedColours(False) if recorded else Bgr(False)
    at_record, off = (LayerDeparture("first", 0.0),), (LayerDeparture("first", 0.9),)
    (held,) = held_to_records(model, images(60), (helps,), at_record, seed=0)
    assert held.off_record == recorded
    other = replace(helps, name="mirrored")
    assert held_to_records(model, images(60), (other,), at_record, seed=0) == (other,)
    # Where the input as it is is off the record, a change has nothing to be held to; nor is one that nobody would name.
    assert held_to_records(model, images(60), (helps,), off, seed=0) == (helps,)
    useless = replace(helps, exchange=Exchange(0, 0, 100))
    assert held_to_records(model, images(60), (useless,), at_record, seed=0) == (useless,)


class Noisy:
    """Embeds the mean colour, and what stands before an image in its batch, `share` of it."""

    head = Bgr.head

    def __init__(self, share: float) -> None:
        self.share = share

    def prepare(self, image: np.ndarray) -> np.ndarray:
        return image.astype(np.float32).transpose(2, 0, 1)

    def embed(self, batch: np.ndarray) -> np.ndarray:
        colours = batch.mean((2, 3))
        return colours + self.share * np.roll(colours, 1, axis=0)


def test_embeddings_that_depend_on_their_company_are_not_steady() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
    empty = np.zeros((20, 3), np.float32)
    seen = Images(pictures.__getitem__, np.arange(20) % 2, empty, empty)
    assert unsteadiness(Noisy(0.0), seen, np.arange(20)) == pytest.approx(0, abs=1e-6)
    moved = unsteadiness(Noisy(0.5), seen, np.arange(20))
    assert moved > 0.1
    assert unsteadiness(Noisy(2.0), seen, np.arange(20)) > moved
    assert unsteadiness(Noisy(0.5), seen, np.arange(1)) == 0


def test_clipped_embeddings_are_told_from_others() -> None:
    z = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    assert clipped_share(z) < 0.005
    assert clipped_share(np.maximum(z, 0)) < 0.005  # zeros of a ReLU are no bound
    assert clipped_share(np.clip(z, -1, 1)) == pytest.approx(0.317, abs=0.02)
    constant = z.copy()
    constant[:, 0] = 3.0
    assert clipped_share(constant) < 0.005
    assert clipped_share(np.ones((4, 2), np.float32)) == 0


@pytest.mark.parametrize("degrees", [60, -60])
def test_turned_hues_are_turned_back(degrees: int) -> None:
    pictures = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220)}
    turned = {change.name: change.picture for change in PICTURE_CHANGES}
    forth, back = "hues turned by 60 degrees", "hues turned back by 60 degrees"
    for name in (forth, back) if degrees > 0 else (back, forth):
        change = turned[name]
        assert change is not None
        pictures = {
            colour: np.atleast_3d(change(np.full((4, 4, 3), rgb, np.uint8)))[0, 0] for colour, rgb in pictures.items()
        }
    assert np.abs(np.array(list(pictures.values())) - [(220, 30, 30), (30, 220, 30), (30, 30, 220)]).max() <= 8


class Recorded(Noisy):
    """Its norms depart by chance: less, the more images they see."""

    def departures(self, batches: Iterable[np.ndarray]) -> tuple[LayerDeparture, ...]:
        return (LayerDeparture("norm", 2 / sum(map(len, batches)) ** 0.5), LayerDeparture("other", 0.0))


def test_norms_that_seem_close_are_measured_on_more_images() -> None:
    model, train = Recorded(0.0), images(2000)
    assert closeness(model, train, (), seed=0) is None
    assert closeness(model, train, [LayerDeparture("norm", 0.12)], seed=0) == 0.12
    assert closeness(model, train, [LayerDeparture("norm", 0.119)], seed=0) == pytest.approx(2 / 1536**0.5)
    assert closeness(model, images(100), [LayerDeparture("norm", 0.1)], seed=0) == pytest.approx(0.2)

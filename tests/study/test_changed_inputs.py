"""Changes of the input that may help are tried on further images."""

import numpy as np
import pytest

from conspect.core.spaces import Head
from conspect.study.diagnosing.gathering import Images, mendings, unsteadiness

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

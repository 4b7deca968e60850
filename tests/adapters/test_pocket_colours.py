"""Color words of the pocket VLM: images of one color, and what their parts say."""

from __future__ import annotations

import numpy as np
import pytest

from conspect.adapters.vlms.pocket.colours import COLOURS, REGIONS, SHARES, color_shares
from conspect.adapters.vlms.pocket.pocket import class_probabilities

RGB = {
    "red": (200, 20, 20),
    "orange": (250, 130, 20),
    "yellow": (240, 220, 30),
    "green": (40, 160, 40),
    "cyan": (30, 200, 200),
    "blue": (30, 60, 200),
    "purple": (130, 30, 180),
    "pink": (250, 130, 190),
    "brown": (110, 65, 30),
    "white": (250, 250, 250),
    "grey": (128, 128, 128),
    "black": (10, 10, 10),
}


def image(color: str, side: int = 32) -> np.ndarray:
    return np.tile(np.array(RGB[color]) / 255.0, (1, side, side, 1))


@pytest.mark.parametrize("color", COLOURS)
def test_an_image_of_one_color_is_that_color_in_every_region(color: str) -> None:
    shares = color_shares(image(color)).reshape(len(REGIONS), len(COLOURS))
    assert set(shares.argmax(axis=1)) == {COLOURS.index(color)}
    assert shares.max(axis=1).min() > 0.7


def test_the_foreground_is_what_differs_from_the_edges() -> None:
    picture = image("green", 64)
    picture[:, 20:44, 20:44] = image("red", 24)
    shares = color_shares(picture).reshape(len(REGIONS), len(COLOURS))
    red, green = COLOURS.index("red"), COLOURS.index("green")
    assert shares[REGIONS.index("foreground"), red] > 0.75
    assert shares[REGIONS.index("all"), red] < 0.5
    assert shares[REGIONS.index("bottom"), green] > 0.7 > shares[REGIONS.index("foreground"), green]


def test_shares_do_not_depend_on_the_other_images_of_a_batch() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.random((5, 48, 48, 3))
    together = color_shares(pictures)
    assert together.shape == (5, SHARES)
    np.testing.assert_allclose(together[2], color_shares(pictures[2:3])[0], rtol=0, atol=1e-12)


def test_class_probabilities_keep_the_order_of_scores_and_add_up_to_one() -> None:
    scores = np.array([[0.1, 0.9, 0.3], [500.0, -500.0, 0.0]])
    shares = class_probabilities(scores)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert (shares.argsort(axis=1) == scores.argsort(axis=1)).all() or np.isclose(shares[1, 1:], 0).all()
    np.testing.assert_allclose(np.log(shares[0, 1] / shares[0, 2]), 10.0 * 0.6, rtol=1e-9)

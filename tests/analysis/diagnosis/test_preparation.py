"""What is said of where the parts of a picture arrive, at each limit and just beyond it."""

import numpy as np
import pytest

from conspect.analysis.diagnosis.preparation import Placement, Preparation

TURNED = "the images are turned or sheared before they reach the model"
BORDER = "the border of the images does not reach the model"
SCATTERED = "parts of the images reach the model in other places than they belong"
MIDDLE = "the middle of the images does not reach the model in the middle"


def placed(slope: list[list[float]], start: list[float] | None = None, scattered: float = 0.0) -> Placement:
    """With the middle of the picture in the middle, unless told."""
    turned = np.array(slope)
    return Placement(turned, np.array(start) if start else 0.5 - turned @ [0.5, 0.5], scattered)


def test_the_size_of_a_side_is_that_of_the_columns_and_the_enlargement_that_of_the_area() -> None:
    placement = placed([[0.6, 0.0], [0.8, 2.0]])
    assert placement.sides == pytest.approx((1.0, 2.0))
    assert placement.enlarged == pytest.approx(np.sqrt(1.2))
    assert placement.off_centre == pytest.approx(0.0)
    assert placed([[1.0, 0.0], [0.0, 1.0]], [0.125, -0.25]).off_centre == 0.25
    assert placed([[-1.0, 0.0], [0.0, 1.0]]).enlarged == 1.0


@pytest.mark.parametrize(
    ("placement", "said"),
    [
        (placed([[1.0, 0.0], [0.0, 1.0]]), []),
        (placed([[1.3, 0.0], [0.0, 0.8]]), []),
        (placed([[1.375, 0.0], [0.0, 0.5]]), [f"{BORDER} (about 73 % of each side does)"]),
        (placed([[1.0, 0.0], [0.0, 0.75]]), ["the images reach the model at 75 % of the size that it takes"]),
        (placed([[0.75, 0.0], [0.0, 1.0]]), ["the images reach the model at 75 % of the size that it takes"]),
        (placed([[1.0, 0.0], [0.0, 1.0]], [0.12, -0.12]), []),
        (placed([[1.0, 0.0], [0.0, 1.0]], [0.0, -0.125]), [MIDDLE]),
        (placed([[1.0, 0.0], [0.0, 1.0]], [0.125, 0.0]), [MIDDLE]),
        (placed([[1.0, 0.0], [0.0, 1.0]], scattered=0.1), []),
        (placed([[2.0, 0.0], [0.0, 1.0]], scattered=0.125), [f"{SCATTERED} (12 % of them)"]),
        (placed([[-1.0, 0.0], [0.0, 1.0]]), ["the images are upside down when they reach the model"]),
        (placed([[-1.0, 0.0], [0.0, -1.0]]), ["the images are turned by 180 degrees when they reach the model"]),
        (placed([[1.0, 0.0], [0.0, -1.0]]), ["the images are mirrored before they reach the model"]),
        (placed([[0.0, 1.0], [-1.0, 0.0]]), ["the images are turned by 90 degrees before they reach the model"]),
        (placed([[0.0, -1.0], [1.0, 0.0]]), ["the images are turned by 90 degrees before they reach the model"]),
        (placed([[0.0, 1.0], [1.0, 0.0]]), ["the images have height and width exchanged before they reach the model"]),
        (placed([[0.09, 1.0], [1.0, 0.09]]), ["the images have height and width exchanged before they reach the model"]),
        (placed([[0.125, 1.0], [1.0, 0.0]]), [TURNED]),
        (placed([[0.0, 1.0], [1.0, 0.125]]), [TURNED]),
        (placed([[1.0, 0.09], [-0.09, 1.0]]), []),
        (placed([[1.0, 0.125], [0.0, 1.0]]), [TURNED]),
        (placed([[1.0, 0.0], [-0.125, 1.0]]), [TURNED]),
        (placed([[-1.0, 0.125], [0.0, 1.0]]), [TURNED]),
        # Leaning counts against the longer side.
        (placed([[0.5, 0.08], [0.0, 1.0]]), ["the images reach the model at 50 % of the size that it takes"]),
    ],
)  # fmt: skip
def test_where_parts_arrive_is_said_where_it_is_unusual(placement: Placement, said: list[str]) -> None:
    assert list(placement.clauses) == said


def test_of_a_preparation_that_is_not_told_everything_the_rest_is_usual() -> None:
    usual = Preparation(1.0, 1.0)
    assert (usual.sharp, usual.balance, usual.mixed, usual.bent, usual.inverted, usual.varied) == (1, 1, 0, 0, False, 0)
    assert (usual.placement, usual.enlarged, usual.lost) == (None, 1.0, ())
    assert Preparation(1.0, 1.0, placement=placed([[2.0, 0.0], [0.0, 0.5]])).enlarged == 1.0
    assert Preparation(1.0, 1.0, placement=placed([[2.0, 0.0], [0.0, 2.0]])).enlarged == 2.0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colour": 0.1}, None), ({"colour": 0.09, "mixed": 1.0, "balance": 0.1}, "colours do not reach the model"),
        ({"mixed": 0.15}, None), ({"mixed": 0.16, "balance": 0.1}, "colours are mixed"),
        ({"balance": 0.5}, None), ({"balance": 0.25}, "one colour reaches the model at 25 % of the strength"),
        ({"detail": 0.3}, None), ({"detail": 0.29}, "fine detail does not reach"),
        ({"sharp": 0.54}, None), ({"sharp": 0.53}, "fine detail does not reach"),
        ({"bent": 0.05}, None), ({"bent": 0.06}, "light and dark do not reach the model evenly"),
        ({"inverted": True}, "light and dark are exchanged"),
        ({"varied": 1e-3}, None), ({"varied": 2e-3, "colour": 0.0}, "the same image is prepared differently each time"),
        # Where detail is lost, parts may seem scattered that are not.
        ({"detail": 0.2, "placement": placed([[1.0, 0.0], [0.0, 1.0]], scattered=0.5)}, "fine detail does not reach"),
        ({"placement": placed([[1.0, 0.0], [0.0, 1.0]], scattered=0.5)}, SCATTERED),
        ({"placement": placed([[1.0, 0.0], [0.0, -1.0]])}, "the images are mirrored"),
    ],
)  # fmt: skip
def test_what_does_not_arrive_is_told_just_beyond_its_limit(changes: dict[str, object], said: str | None) -> None:
    arrived: dict[str, object] = {"colour": 1.0, "detail": 1.0, **changes}
    lost = Preparation(**arrived).lost  # type: ignore[arg-type]
    assert len(lost) == (said is not None)
    assert said is None or lost[0].startswith(said)


def test_lost_detail_is_told_beside_parts_that_arrive_elsewhere() -> None:
    mirrored = placed([[1.0, 0.0], [0.0, -1.0]])
    assert len(Preparation(1.0, 0.2, placement=mirrored).lost) == 2

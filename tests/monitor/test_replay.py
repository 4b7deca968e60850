"""How what a network returns comes of what its last linear layer makes, recovered from made-up layers."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from conspect.monitor.runtime.replay import COARSE, LEAST_SHARE, SAME, TOLERANCE, Ending, Replay, replay_of

# Around 3, so that a shift of a row is not mistaken for none.
MADE: NDArray[np.float32] = (3 + 2 * np.random.default_rng(0).normal(size=(40, 6))).astype(np.float32)
SHARP: NDArray[np.float32] = (30 * np.random.default_rng(1).normal(size=(40, 6))).astype(np.float32)


def returned(ending: Ending, scale: float, made: NDArray[np.float32] = MADE) -> NDArray[np.float32]:
    logits = scale * made.astype(np.float64)
    after = {
        Ending.NONE: logits,
        Ending.SOFTMAX: special.softmax(logits, axis=1),
        Ending.LOG_SOFTMAX: special.log_softmax(logits, axis=1),
    }
    return after[ending].astype(np.float32)


@pytest.mark.parametrize("scale", [0.05, 0.4, 0.99, 1.0, 1.01, 2.5])
@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize("rows", [1, 2, 40])
def test_ending_and_temperature_are_recovered(ending: Ending, scale: float, rows: int) -> None:
    given = returned(ending, scale)[:rows]
    replay = replay_of(MADE[:rows], given)
    assert replay is not None
    assert replay.ending is ending
    assert replay.scale == pytest.approx(scale, rel=1e-4)
    wanted = given if ending is Ending.NONE else scale * MADE[:rows]
    logits = replay.logits(MADE[:rows], given)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, wanted, rtol=1e-4)


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_shares_too_small_to_say_anything_are_left_out(scale: float) -> None:
    given = returned(Ending.SOFTMAX, scale, SHARP)
    assert (given < LEAST_SHARE).mean() > 0.5
    replay = replay_of(SHARP, given)
    assert replay is not None
    assert replay.ending is Ending.SOFTMAX
    assert replay.scale == pytest.approx(scale, rel=1e-3)


@pytest.mark.parametrize("ending", [Ending.SOFTMAX, Ending.LOG_SOFTMAX])
def test_a_temperature_near_one_that_is_rounding_is_one(ending: Ending) -> None:
    assert replay_of(MADE, returned(ending, 1 + 0.5 * TOLERANCE)) == Replay(ending, 1.0)
    replay = replay_of(MADE, returned(ending, 1 + 2 * TOLERANCE))
    assert replay is not None
    assert replay.scale == pytest.approx(1 + 2 * TOLERANCE, abs=1e-5)


def test_what_is_returned_as_it_was_made_is_the_same_up_to_the_tolerance() -> None:
    largest = float(np.abs(MADE).max())
    noise = np.where(np.random.default_rng(2).random(MADE.shape) < 0.5, -1, 1) * largest
    assert replay_of(MADE, MADE) is SAME
    assert Replay(Ending.NONE, 1.0) == SAME
    assert replay_of(MADE, (MADE + 0.9 * TOLERANCE * noise).astype(np.float32)) is SAME
    assert replay_of(MADE, (MADE + 1.5 * TOLERANCE * noise).astype(np.float32)) is None
    assert replay_of(MADE, (MADE + 1.5 * TOLERANCE * noise).astype(np.float32), tolerance=COARSE) is SAME
    assert replay_of(MADE, (MADE + 0.03 * noise).astype(np.float32), tolerance=COARSE) is None
    small = (MADE / 100).astype(np.float32)  # below one the tolerance is that of one
    assert replay_of(small, (small + 0.9 * TOLERANCE).astype(np.float32)) is SAME
    assert replay_of(MADE[:0], MADE[:0]) is SAME


@pytest.mark.parametrize(
    ("made", "given"),
    [
        (MADE, MADE[:, :5]),
        (MADE[0], MADE[0]),
        (MADE, -MADE),
        (MADE, MADE**2),
        (MADE, np.random.default_rng(3).normal(size=MADE.shape).astype(np.float32)),
        (MADE, returned(Ending.SOFTMAX, 1.0)[:, ::-1].copy()),
        (MADE, returned(Ending.SOFTMAX, -1.0)),
        (MADE, returned(Ending.LOG_SOFTMAX, 1.0) + 1),
        (np.zeros_like(MADE), MADE),
        (MADE, np.where(MADE > 5, np.nan, MADE).astype(np.float32)),
        (MADE, np.where(MADE > 5, np.inf, MADE).astype(np.float32)),
        (MADE, np.where(MADE > 5, -np.inf, 2 * MADE).astype(np.float32)),
        (np.where(MADE > 5, np.inf, MADE).astype(np.float32), 2 * MADE),
    ],
    ids=[
        "narrower",
        "one axis",
        "turned",
        "squared",
        "another's",
        "shares of others",
        "turned shares",
        "shifted logs",
        "nothing",
        "NaN",
        "infinite",
        "infinite below",
        "infinite inside",
    ],
)
def test_what_comes_of_something_else_is_refused(made: NDArray[np.float32], given: NDArray[np.float32]) -> None:
    with np.errstate(all="raise"):
        assert replay_of(made, given) is None


def test_what_is_no_number_in_both_is_the_same() -> None:
    broken = np.where(MADE > 5, np.nan, MADE).astype(np.float32)
    assert replay_of(broken, broken.copy()) is SAME

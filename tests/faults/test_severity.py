"""The search for the strength at which accuracy drops by so many points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.faults.planting.severity import GRID, STEPS, TOLERANCE, severities


@given(st.floats(0.21, 1.0), st.floats(0.6, 3.0))
def test_a_continuous_growing_drop_is_met(most: float, power: float) -> None:
    calls: list[float] = []

    def drop(strength: float) -> float:
        calls.append(strength)
        return most * strength**power

    met = severities(drop, (0.02, 0.05, 0.1, 0.2))
    assert len(calls) == len(set(calls)) <= 1 + len(GRID) + 4 * STEPS
    for severity, wanted in zip(met, (0.02, 0.05, 0.1, 0.2), strict=True):
        assert severity.wanted == wanted
        assert severity.reached
        assert severity.drop == pytest.approx(most * severity.strength**power)
        assert abs(severity.drop - wanted) <= TOLERANCE


def test_a_fault_that_is_too_mild_is_given_at_its_worst() -> None:
    mild = severities(lambda strength: 0.06 * strength, (0.05, 0.2))
    assert mild[0].reached
    assert (mild[1].strength, mild[1].drop, mild[1].reached) == (1.0, 0.06, False)


def test_a_fault_that_jumps_is_given_at_the_nearest_drop() -> None:
    (jump,) = severities(lambda strength: 0.0 if strength < 0.3 else 0.12, (0.1,))
    assert jump.drop == 0.12
    assert not jump.reached


def test_a_drop_that_falls_again_is_still_found() -> None:
    (severity,) = severities(lambda strength: 0.4 * min(strength, 1 - strength), (0.1,))
    assert severity.reached

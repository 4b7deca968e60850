"""A lost concept is named with all that cannot be told from it."""

from __future__ import annotations

import numpy as np

from conspect.results.localization import LostConcept
from conspect.study.diagnosing.lost import speaking_groups


def test_the_first_of_a_group_that_speaks_stands_for_it_and_names_the_others() -> None:
    rise = np.arange(10.0)
    strengths = np.column_stack([rise, rise + 1, rise**0, -rise, rise, np.sin(rise)])
    groups = [(1, 3, 4), (0, 3, 4), (), (0, 1, 4), (0, 1, 3), ()]
    speaking = np.array([False, True, True, True, True, False])
    assert speaking_groups(strengths, groups, speaking) == {1: ((4,), (3,)), 2: ((), ())}
    everyone = np.ones(6, dtype=bool)
    assert speaking_groups(strengths, groups, everyone) == {0: ((1, 4), (3,)), 2: ((), ()), 5: ((), ())}
    assert speaking_groups(strengths, groups, ~everyone) == {}


def test_the_whole_group_is_named() -> None:
    alone = LostConcept(concept="ears", twins=(), probability=0.5)
    group = LostConcept(concept="colored eyes", twins=("floppy ears",), probability=0.5, opposites=("wings",))
    assert alone.words == "“ears”"
    assert group.words == "“colored eyes” or “floppy ears” (or lack of “wings”)"

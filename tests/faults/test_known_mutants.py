"""The table of known mutants: what is planted, what may be said of it, and what the bench makes of it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from conspect.analysis.diagnosis.weighing import SUSPECTS, NamedSuspects, Suspect
from conspect.bench import mutants as bench
from conspect.bench.inputs import Answers, InputAnswer
from conspect.faults.judgement.left_out import Judgement
from conspect.faults.planting.cases import Part
from conspect.faults.planting.known_mutants import known_mutants
from conspect.faults.subjects.sound_network import scene_subject


@pytest.mark.slow
def test_mutants_change_the_part_that_they_say() -> None:
    subject = scene_subject().first(300, 60)
    cases = list(known_mutants(subject))
    assert len({case.kind for case in cases}) == len(cases) == bench.MOST
    for case in cases:
        head = np.array_equal(case.head.weight, subject.head.weight) and np.array_equal(
            case.head.offset, subject.head.offset
        )
        if case.part is Part.HEAD:
            assert case.encoder is subject.encoder, case.kind
        if case.part in {Part.HEAD, Part.BOTH}:
            assert not head, case.kind
        if case.part in {Part.ENCODER, Part.BOTH}:
            assert case.encoder is not subject.encoder, case.kind


def judged(part: Part, named: Suspect | None, lost: int) -> tuple[Any, Judgement]:
    images = 100
    labels, outputs = np.zeros(images, int), np.zeros(images, int)
    outputs[:lost] = 1
    case = SimpleNamespace(
        kind="a kind",
        part=part,
        labels=labels,
        truth=labels,
        sound=labels,
        outputs=outputs,
        new=outputs > 0,
        old=outputs > 1,
    )
    suspects = (Suspect.HEAD, Suspect.ENCODER) if named is None else (named,)
    posterior = np.full(len(SUSPECTS), 0.05)
    posterior[[SUSPECTS.index(suspect) for suspect in suspects]] = 0.8 / len(suspects)
    return case, Judgement(NamedSuspects(posterior, suspects), [None] * images)


def test_a_mutant_is_right_where_its_part_is_named_and_one_that_costs_nothing_may_be_called_sound() -> None:
    pairs = [
        judged(Part.HEAD, Suspect.HEAD, 10),
        judged(Part.ENCODER, Suspect.NONE, 10),
        judged(Part.HEAD, Suspect.NONE, 1),
        judged(Part.BOTH, Suspect.ENCODER, 10),
        judged(Part.ENCODER, None, 10),
        judged(Part.NONE, Suspect.HEAD, 0),
    ]
    rows = bench.rows_of(*zip(*pairs, strict=True))
    assert [row["value"] for row in rows[:3]] == [0.6, round(1 / 6, 4), 1.0]
    assert [row["value"] for row in rows[6:]] == [1.0, 0.0, 1.0, 1.0, None, 0.0]
    assert rows[6]["what"] == "a kind (head): 100.0 % becomes 90.0 %; named: head (80 %)"
    assert rows[10]["unit"] == "undecided"


def test_answers_about_inputs_are_kept(tmp_path) -> None:
    path, asked = tmp_path / "kept" / "inputs.json", []

    def answered() -> InputAnswer:
        asked.append(1)
        return InputAnswer(("input pipeline",), True, 0.5)

    first = Answers(path).of("BGR", answered)
    assert Answers(path).of("BGR", answered) == first
    assert len(asked) == 1
    assert Answers(None).of("BGR", answered) == first
    assert len(asked) == 2

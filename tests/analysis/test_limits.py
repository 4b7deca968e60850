"""Limits that were chosen before anything was judged by them: whoever changes one changes what earlier studies were told."""

import json
from pathlib import Path

import numpy as np
import pytest

from conspect.analysis import alignment, class_order, localization
from conspect.analysis.concepts import grades, groups, meaningless, suggestions
from conspect.analysis.diagnosis import blame, evidence, head, images, labels, mendings, preparation, weighing, words
from conspect.analysis.explanation import (
    contrast,
    counterfactual,
    erasure,
    failure_groups,
    lost_concepts,
    lost_signs,
    minimal_sets,
    standing_out,
    thin_combinations,
)


def test_what_a_concept_is_graded_by() -> None:
    limits = (grades.SEPARATION, grades.SHOWN, grades.STABILITY, grades.AGREEMENT)
    assert [(limit.fails, limit.doubts) for limit in limits] == [(0.6, 0.8), (0.6, 0.7), (0.3, 0.6), (0.3, 0.6)]
    assert (grades.BEYOND_CLASSES, grades.TOLERANCE, grades.SAME_AS_CLASS) == (0.05, 0.02, 0.98)
    assert groups.SAME == 0.95


def test_what_a_suggestion_has_to_be() -> None:
    assert (suggestions.READABLE, suggestions.OWN_SHARE, suggestions.TELLS_CLASSES) == (0.3, 0.2, 0.75)
    assert (suggestions.DUPLICATE, suggestions.SAME_DIRECTION, suggestions.EXAMPLES) == (0.9, 0.9, 3)
    assert meaningless.SPEAKS == 0.99
    assert pytest.approx(0.6744897501960817) == meaningless.MAD_OF_NORMAL


def test_from_where_on_evidence_speaks() -> None:
    assert (evidence.LEAST_SHIFT, evidence.LEAST_SHAPE, evidence.AT_RECORD, evidence.REESTIMATED) == (
        0.08,
        0.2,
        0.3,
        0.03,
    )
    assert (evidence.LEAST_MOVED, evidence.LEAST_APART, evidence.SOUND_STEP, evidence.FURTHEST) == (
        0.15,
        0.05,
        0.7,
        1e6,
    )
    assert (evidence.PRUNED, evidence.ROUNDED, evidence.LAYER_PRUNED, evidence.LAYER_ROUNDED) == (0.05, 0.7, 0.2, 0.35)
    assert (evidence.JUDGED_ON, evidence.ROW_STANDS_OUT, evidence.LEAST_LOSS, evidence.LOSS_ERRORS) == (
        1000,
        0.6,
        0.01,
        1.64,
    )
    assert (evidence.LARGEST_SURPRISE, evidence.LEAST_SURPRISE, evidence.LEAST_SHARE) == (8.0, 0.1, 0.015)
    assert (evidence.LEAST_UNSTEADY, evidence.LEAST_ORDER) == (0.02, 0.7)


def test_when_a_suspect_is_named() -> None:
    assert (weighing.LEAST_CONFIDENCE, weighing.LEAST_SOUND, weighing.LEAST_TOGETHER, weighing.MOST_NONE) == (
        0.55, 0.5, 0.85, 0.2,
    )  # fmt: skip
    assert localization.LEAST_CONFIDENCE == 0.6
    assert (images.LEAST_WRONG, images.PLAUSIBLE, images.PLAUSIBLE_TOGETHER, images.SEEN_ODDS) == (0.9, 0.2, 0.75, 0.0)
    assert (words.SIGNIFICANT, words.LEAST_MISLABELLED) == (0.01, 0.25)
    assert (mendings.LEAST_GAIN, mendings.ERROR, mendings.PROMISING) == (0.02, 0.01, 0.25)


def test_what_a_preparation_may_do() -> None:
    assert (preparation.LEAST_COLOUR, preparation.LEAST_DETAIL, preparation.LEAST_SHARP) == (0.1, 0.3, 0.54)
    assert (preparation.MOST_ENLARGED, preparation.LEAST_ENLARGED, preparation.LEAST_BALANCE) == (1.3, 0.8, 0.5)
    assert (preparation.MOST_BENT, preparation.MOST_MIXED, preparation.MOST_OFF_CENTRE) == (0.05, 0.15, 0.12)
    assert (preparation.MOST_SCATTERED, preparation.MOST_LEANING, preparation.MOST_VARIED) == (0.1, 0.1, 1e-3)


def test_what_heads_and_labels_are_judged_with() -> None:
    assert (head.REFIT_PENALTY, head.CORRECTION_PENALTY, head.ITERATIONS) == (0.03, 0.1, 80)
    assert (labels.FIRST_SHARE, labels.ROUNDS, labels.SHRINKAGE, labels.TRIMMED, labels.NEVER) == (
        0.02,
        5,
        0.5,
        3,
        100.0,
    )
    assert labels.TEMPERATURES[[0, 40, 70]] == pytest.approx([np.exp(-4), 1.0, np.exp(3)])
    assert (weighing.FIT_PENALTY, weighing.FIT_ITERATIONS, weighing.FIT_TOLERANCE) == (0.01, 3000, 1e-8)
    assert weighing.MOST_UNKNOWN == 0.45
    assert weighing.UNKNOWN_SHARES.tolist() == [0.8, 0.2]
    assert (evidence.TOO_CLOSE, evidence.MAYBE_CLOSE, evidence.LEAST_CLIPPED) == (0.06, 0.12, 0.02)
    assert (blame.MOST_ODDS, blame.LEAST_BROKEN, blame.LEAST_NEW) == (6.0, 0.7, 0.25)
    assert (blame.BLAME_PENALTY, blame.BLAME_ITERATIONS) == (1e-3, 3000)
    assert [round(float(np.log10(penalty)), 6) for penalty in alignment.PENALTIES] == [k / 2 for k in range(-12, 3)]


def test_when_names_of_classes_look_exchanged() -> None:
    assert (class_order.ERROR, class_order.SHOWN_BY, class_order.LEANING, class_order.NAMED) == (0.001, 0.8, 0.05, 4)


def test_what_an_explanation_names() -> None:
    assert (contrast.STANDS_OUT, contrast.NAMED, contrast.LEAST_USUAL, contrast.PERCENT_FROM) == (0.8, 3, 10, 100)
    assert (contrast.CARRIED, contrast.OTHERS_SHARE, contrast.BELONGS_AUROC) == (0.5, 0.5, 0.8)
    assert standing_out.STANDS_OUT == 0.75
    assert (failure_groups.LEAST_IMAGES, failure_groups.LEAST_FAILURES, failure_groups.PROPOSALS) == (10, 3, 30)
    assert (failure_groups.PROMISING, failure_groups.ADDS, failure_groups.SAME_FAILURES) == (0.01, 1.25, 0.5)
    assert failure_groups.PAIRED == 100
    assert (thin_combinations.THIN_SHARE, thin_combinations.THIN_IMAGES) == (0.25, 10)
    assert (thin_combinations.THIN_LISTED, thin_combinations.ALPHA) == (10, 0.05)
    assert (counterfactual.MUCH_LONGER, counterfactual.HARDLY_LONGER, counterfactual.COMPARED) == (2.0, 1.05, 200)
    assert (counterfactual.LEAST_DECIMALS, counterfactual.MOST_DECIMALS) == (2, 12)
    assert (counterfactual.RELATIVE_CUTOFF, erasure.RELATIVE_CUTOFF) == (1e-4, 1e-6)
    assert (minimal_sets.ALL_TRIED, minimal_sets.SMALL, minimal_sets.MOST_OF_A_SIZE, minimal_sets.IN_VAIN) == (
        16, 3, 50_000, 50,
    )  # fmt: skip


def test_what_a_lost_concept_is_weighed_by() -> None:
    assert (lost_concepts.CLASS_SHOWS, lost_concepts.IMAGE_SHOWS, lost_concepts.LEAST_IMAGES) == (0.3, 0.5, 8)
    assert (lost_concepts.LEAST_FAILURES, lost_concepts.FALL) == (5, 2.0)
    assert (lost_signs.RIDGE, lost_signs.SHRINKAGE, lost_signs.SMALL) == (1.0, 0.05, 1e-9)
    assert (lost_signs.WITHIN, lost_signs.LEVEL, lost_signs.READING_RIDGE, lost_signs.MOST_LACK) == (
        0.1,
        0.02,
        0.01,
        5.0,
    )


def test_the_weights_of_lost_concepts_are_those_of_the_log_of_their_fit() -> None:
    log = Path(__file__).parents[2] / "training" / "lost_concepts.log"
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith('{"way"')]
    fitted = {row["way"]: row["weights"] for row in rows if "weights" in row}
    assert list(lost_concepts.BLIND_WEIGHTS) == fitted["blind"]
    assert list(lost_concepts.PAIRED_WEIGHTS) == fitted["paired"]

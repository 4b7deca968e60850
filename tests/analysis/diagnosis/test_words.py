"""What a diagnosis says, word for word, from evidence that was made up; and the limits at which it says something else."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conspect.analysis.class_order import ClassOrder
from conspect.analysis.diagnosis import images as of_images
from conspect.analysis.diagnosis.evidence import ModelEvidence
from conspect.analysis.diagnosis.exchange import Exchange
from conspect.analysis.diagnosis.head import HeadEvidence
from conspect.analysis.diagnosis.images import (
    Cause,
    CauseCount,
    ImageDiagnosis,
    count_causes,
)
from conspect.analysis.diagnosis.labels import LabelJudgement
from conspect.analysis.diagnosis.mendings import Mending, judge_mendings
from conspect.analysis.diagnosis.preparation import Placement, Preparation
from conspect.analysis.diagnosis.weighing import SUSPECTS, ModelDiagnosis, Suspect, named_suspects
from conspect.analysis.diagnosis.words import evidence_sentences, headline, named_sentence, not_finite_sentence
from conspect.analysis.explanation.failure_groups import Condition, FailureGroup, FailureSearch, Rate
from conspect.analysis.explanation.group_words import group_sentence, search_sentence, thin_sentence
from conspect.analysis.explanation.standing_out import Sayable, literals_of
from conspect.analysis.explanation.thin_combinations import ThinCombination, thin_combinations
from conspect.analysis.heatmaps import HeatmapCounts
from conspect.analysis.mining import MinedPredicate, mine
from conspect.analysis.validation import ExpectedPair, agreement, expected_pairs
from conspect.core.concepts import ClassAttributes
from conspect.core.diagnostics import UserError
from conspect.core.protocols import LayerDeparture, LayerMark
from conspect.core.spaces import Float64
from conspect.statistics.corrected_logistic import CorrectedModel
from conspect.statistics.intervals import clopper_pearson
from conspect.statistics.logistic import LogisticModel

NOTHING: Float64 = np.zeros((1, 1))
ORDERED = ClassOrder((), 0.8, 0.8)
HEAD = HeadEvidence(
    accuracy=0.8, biases=Exchange(0, 0, 400), unbiased=Exchange(0, 0, 400),
    corrected=Exchange(3, 4, 400), refitted=Exchange(3, 4, 400),
    shape=np.array([0.1, 0.2, 0.3, 0.31]), shift=np.zeros(4), zeros=0.0, distinct=1.0, refitted_test=NOTHING,
    corrected_test=NOTHING, given_test=NOTHING, correction=CorrectedModel(1.0, NOTHING, NOTHING[0]),
    refit=LogisticModel(NOTHING, NOTHING[0]), scale=1.0,
)  # fmt: skip
PLAIN = ModelEvidence(HEAD, ORDERED, ORDERED)
NAMES = ("ant", "bee", "cat", "dog")
NO_NORMS = (
    "The encoder keeps no records of its training (no batch norms that could be read): nothing to compare it with."
)
ORDER = "The order of the class names fits."


def at(size: float, *, colour: float = 1.0, detail: float = 1.0, **more: Any) -> Preparation:
    """Of pictures that arrive in the middle, at so many times their size."""
    placement = Placement(size * np.eye(2), np.full(2, (1 - size) / 2), 0.0)
    return Preparation(colour, detail, placement=placement, **more)


def test_that_nothing_was_found_is_said_with_what_it_could_not_be_found_by() -> None:
    assert named_sentence(diagnosis(Suspect.NONE)) == "No sign of a broken part."
    again = diagnosis(Suspect.NONE, departures=(LayerDeparture("norm", 0.02),))
    assert named_sentence(again) == (
        "No sign of a broken part, but the norms fit these images as if they had been estimated again on them: their records "
        "say nothing."
    )


def head_says(**changes: Any) -> str:
    return evidence_sentences(replace(PLAIN, head=replace(HEAD, **changes)), NAMES)[0]


def test_a_sound_model_in_all_sentences() -> None:
    head = "A corrected head fixes 3 images and breaks 4 (p = 0.77): no head fault that another head would mend."
    assert evidence_sentences(PLAIN, NAMES) == (head, NO_NORMS, ORDER)
    undivided = "No head was found: the outputs stand for the embeddings, and another head below is one on the outputs."
    assert evidence_sentences(replace(PLAIN, divided=False), NAMES) == (undivided, head, NO_NORMS, ORDER)


def test_what_is_said_of_a_head() -> None:
    sure: Any = {"corrected": Exchange(1035, 10, 4000)}
    said = head_says(**sure, shape=np.full(4, 0.1))
    assert said == "A corrected head fixes 1,035 images and breaks 10 (p = 1.1e-291)."
    both = head_says(**sure, biases=Exchange(35, 10, 400))
    assert "; other biases alone fixes 35 images and breaks 10 (p = 0.00012" in both
    assert "without any biases" not in both
    none = head_says(**sure, biases=Exchange(35, 10, 400), unbiased=Exchange(40, 10, 400), shape=np.full(4, 0.1))
    assert none == (
        "A corrected head fixes 1,035 images and breaks 10 (p = 1.1e-291); other biases alone fixes 35 images and breaks 10 "
        "(p = 0.00012); the head without any biases fixes 40 images and breaks 10 (p = 1.2e-05)."
    )
    assert "biases" not in head_says(**sure, unbiased=Exchange(40, 10, 400))
    # 1.5 times the third largest misfit, 0.2: 0.31 is above.
    assert head_says(**sure, shape=np.array([0.1, 0.2, 0.3, 0.31])).endswith(
        "; of all classes 'dog' is furthest from where another head puts it."
    )
    assert "furthest" not in head_says(**sure, shape=np.array([0.1, 0.2, 0.3, 0.3]))
    assert "furthest" not in head_says(**sure, shape=np.array([0.1, 0.2, 0.9]))
    assert "furthest" not in head_says(shape=np.array([0.1, 0.2, 0.3, 9.0]))
    assert head_says(zeros=0.751, distinct=0.69).endswith(
        "mend. 75 % of the head's weights are exactly 0. The head's weights are rounded."
    )
    assert head_says(zeros=0.05, distinct=0.7).endswith("would mend.")


def test_training_labels_that_are_others_are_told() -> None:
    said = head_says(corrected=Exchange(5, 206, 400))
    assert said.startswith(
        "A corrected head fixes 5 images and breaks 206 (p = 1): what it learnt on the training images is not"
    )
    assert said.endswith("Compare the labels of the two splits.")
    assert "no head fault" in head_says(corrected=Exchange(5, 204, 400))


def test_a_change_of_the_input_that_the_first_norm_denies_is_told_as_that() -> None:
    contrast = Mending("double the contrast", "double the contrast", Exchange(32, 5, 100), 1e-4, 0.5, off_record=True)
    denied = replace(PLAIN, mendings=(contrast,))
    assert denied.mending is None
    assert (
        "A change of the input helps (double the contrast: 50.0 % becomes 77.0 %), but it puts the first norm off its record, "
        "where it is without it: it makes up for something else."
    ) in evidence_sentences(denied, NAMES)
    assert replace(PLAIN, mendings=(replace(contrast, off_record=False),)).mending is not None


def test_of_a_model_without_a_head_no_marks_in_it_are_told() -> None:
    marked = replace(PLAIN, head=replace(HEAD, zeros=0.9, distinct=0.2), divided=False)
    assert evidence_sentences(marked, NAMES)[1].endswith("no head fault that another head would mend.")
    assert not any("exactly 0" in sentence or "rounded" in sentence for sentence in evidence_sentences(marked, NAMES))


def test_classes_that_share_a_row_of_the_head_are_named() -> None:
    assert head_says(same_rows=((1, 3),)).endswith(
        "would mend. 'bee' and 'dog' have the same weights in the head, so that it cannot tell them apart."
    )
    many = replace(PLAIN, head=replace(HEAD, same_rows=(tuple(range(9)),)))
    assert "'0', '1', '2', '3' and 5 more classes have the same weights" in evidence_sentences(many, "0123456789")[0]


def norms_say(*departures: LayerDeparture) -> str:
    return evidence_sentences(replace(PLAIN, departures=departures), NAMES)[1]


def test_what_is_said_of_norms() -> None:
    assert norms_say(LayerDeparture("a", 0.0299)) == (
        "The batch norms fit these images to 0.030 deviations, closer than training leaves them: they were estimated again, so "
        "their records say nothing."
    )
    assert norms_say(LayerDeparture("a", 0.0599), LayerDeparture("b", 0.01)) == (
        "The batch norms fit these images to 0.060 deviations, as closely as if they had been estimated again on images like "
        "them: that clears nothing."
    )
    assert norms_say(LayerDeparture("a", 0.06)) == (
        "The batch norms are within 0.06 deviations of their records, as those of sound networks."
    )
    assert norms_say(LayerDeparture("a", 0.1), LayerDeparture("b", 0.03)) == (
        "The batch norms are within 0.10 deviations of their records, as those of sound networks."
    )
    assert norms_say(LayerDeparture("a", 0.9), LayerDeparture("b", 0.1)) == (
        "The batch norms depart from their records by up to 0.90 deviations, from layer 'a' on (1 of 2): so the input, or the "
        "layers before it, are other than in training."
    )
    assert norms_say(LayerDeparture("a", 0.1), LayerDeparture("b", 5.0)) == (
        "The batch norms depart from their records by up to 5.00 deviations, from layer 'b' on (2 of 2): "
        "those before it do not."
    )


def test_clipped_embeddings_are_said_above_their_limit() -> None:
    said = evidence_sentences(replace(PLAIN, clipped=0.123), NAMES)
    assert (
        "12 % of the embeddings' values lie exactly at the largest or smallest of their dimension: they are clipped. If accuracy "
        "was lost, look there."
    ) in said
    assert evidence_sentences(replace(PLAIN, clipped=0.02), NAMES) == evidence_sentences(PLAIN, NAMES)


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (LayerMark("conv", 0.3, 0.75),
         "The weights of layer 'conv' are rounded: 16 values make up 75 % of them. If accuracy was lost, look there."),
        (LayerMark("conv", 0.8, 0.36),
         "The weights of layer 'conv' are pruned: 80 % are exactly 0. If accuracy was lost, look there."),
        (LayerMark("conv", 0.21, 0.35),
         "The weights of layer 'conv' are pruned: 21 % are exactly 0. If accuracy was lost, look there."),
        (LayerMark("conv", 0.2, 0.35), None),
    ],
)  # fmt: skip
def test_what_is_said_of_the_layers_of_an_encoder(mark: LayerMark, said: str | None) -> None:
    sentences = evidence_sentences(replace(PLAIN, marks=(mark,)), NAMES)
    assert sentences[2:] == ((said, ORDER) if said else (ORDER,))


@pytest.mark.parametrize(
    ("preparation", "said"),
    [
        (at(1.3, colour=0.1, detail=0.3, sharp=0.54, balance=0.5, mixed=0.15, bent=0.05, varied=1e-3), []), (at(0.8), []),
        (Preparation(0.09, 0.3), ["Colours do not reach the model (the images are made grey)."]),
        (Preparation(1.0, 0.29),
         ["Fine detail does not reach the model (the images are made small and large again, or blurred)."]),
        (at(1.6), ["The border of the images does not reach the model (about 62 % of each side does)."]),
        (at(0.7), ["The images reach the model at 70 % of the size that it takes."]),
        (at(1.0, sharp=0.53), ["Fine detail does not reach the model (the images are made small and large again, or blurred)."]),
        (at(1.0, balance=0.49), ["One colour reaches the model at 49 % of the strength of the others."]),
        (at(1.0, mixed=0.16),
         ["Colours are mixed before they reach the model (a channel answers to more than one of red, green and blue)."]),
        (at(1.0, bent=0.06), ["Light and dark do not reach the model evenly (the levels are bent or clipped)."]),
        (at(1.0, inverted=True), ["Light and dark are exchanged before they reach the model."]),
        (at(1.6, colour=0.0, varied=2e-3), ["The same image is prepared differently each time (augmentation is left on)."]),
    ],
)  # fmt: skip
def test_what_is_said_of_a_preparation(preparation: Preparation, said: list[str]) -> None:
    assert list(evidence_sentences(replace(PLAIN, preparation=preparation), NAMES)[2:]) == [*said, ORDER]


def test_what_is_said_of_the_input_the_labels_and_the_reported_accuracy() -> None:
    weak = Mending("BGR", "feed RGB", Exchange(6, 1, 400), 0.5, 0.8)
    named = replace(weak, exchange=Exchange(40, 1, 400), p_value=1e-6)
    assert evidence_sentences(replace(PLAIN, mendings=(weak,)), NAMES)[2] == (
        "None of 1 usual changes of the input makes the model better by two points or more."
    )
    assert evidence_sentences(replace(PLAIN, mendings=(weak, named)), NAMES)[2].startswith(
        "A change of the input helps: feed RGB: 80.0 % becomes 89.8 % (it fixes 40 images and breaks 1 (p = "
    )
    labels = LabelJudgement(np.full(1200, 0.02), np.zeros(1200, int), NOTHING, np.zeros(1200, int), ("a",))
    assert (
        evidence_sentences(replace(PLAIN, labels=labels), NAMES)[-1]
        == "About 24 of 1,200 labels are expected to be wrong."
    )
    assert evidence_sentences(replace(PLAIN, reported=0.81), NAMES)[-1] == (
        "Nothing is lost for sure against the reported accuracy of 81.0 %: 80.0 % are right."
    )
    head = replace(HEAD, corrected=Exchange(50, 10, 400))
    assert evidence_sentences(replace(PLAIN, reported=0.925, head=head), NAMES)[-1] == (
        "Against the reported accuracy of 92.5 % the model loses 12.5 points; a corrected head restores 80 % "
        "of them: close to all "
        "where the head alone is broken, less where the encoder is."
    )
    other = ClassOrder(((0, 1), (1, 0)), 0.5, 0.8)
    assert evidence_sentences(replace(PLAIN, order=other), NAMES)[-1].startswith(
        "Your class order looks wrong: what is 'ant'"
    )


@pytest.mark.parametrize(("images", "said"), [(0, None), (1, "For 1 image an"), (1200, "For 1,200 images an")])
def test_what_is_said_of_embeddings_that_are_no_numbers(images: int, said: str | None) -> None:
    sentences = not_finite_sentence(images)
    assert len(sentences) == (said is not None)
    if said is not None:
        could = "it could be read and is" if images == 1 else "they could be read and are"
        rest = f"embedding is NaN or infinite: {could} left out; a sound model gives a number for every image."
        assert sentences[0] == f"{said} {rest}"
    else:
        assert sentences == ()


def diagnosis(*named: Suspect, **changes: Any) -> ModelDiagnosis:
    return ModelDiagnosis(np.full(5, 0.2), named, replace(PLAIN, **changes))


def test_what_is_named_in_one_sentence() -> None:
    assert named_sentence(diagnosis(Suspect.NONE)) == "No sign of a broken part."
    assert named_sentence(diagnosis(Suspect.HEAD)) == "The head looks broken."
    assert named_sentence(diagnosis(Suspect.ENCODER)) == "The encoder looks broken."
    off, on = LayerDeparture("b", 2.0, 2.0), LayerDeparture("a", 0.1)
    assert named_sentence(diagnosis(Suspect.ENCODER, departures=(on, off))) == (
        "The encoder looks broken: its norms depart from their records from layer 'b' on."
    )
    assert named_sentence(diagnosis(Suspect.ENCODER, departures=(off, on))) == (
        "The encoder looks broken, or what is done to images before it: its norms depart from their records from the first one "
        "on, layer 'b'."
    )
    assert named_sentence(diagnosis(Suspect.INPUT)) == "The input pipeline looks broken."
    mending = Mending("BGR", "feed RGB", Exchange(40, 1, 400), 1e-6, 0.8)
    assert named_sentence(diagnosis(Suspect.INPUT, mendings=(mending,))) == (
        "The input pipeline looks broken: feed RGB: 80.0 % becomes 89.8 %."
    )
    grey = Preparation(0.0, 0.0)
    assert named_sentence(diagnosis(Suspect.INPUT, preparation=grey)) == (
        "The input pipeline looks broken: colours do not reach the model (the images are made grey); fine "
        "detail does not reach "
        "the model (the images are made small and large again, or blurred)."
    )
    assert (
        named_sentence(diagnosis(Suspect.INPUT, preparation=Preparation(1, 1, 1))) == "The input pipeline looks broken."
    )
    other = ClassOrder(((0, 1), (1, 0)), 0.5, 0.8)
    assert (
        named_sentence(diagnosis(Suspect.LABELS, order=other))
        == "The class names are in another order than the model's outputs."
    )
    assert named_sentence(diagnosis(Suspect.HEAD, order=other)) == (
        "The class names are in another order than the model's outputs (or two rows of its head are exchanged)."
    )


@pytest.mark.parametrize(("worst", "both"), [(0.2 * np.exp(0.61), True), (0.2 * np.exp(0.59), False)])
def test_a_row_that_stands_out_is_told_beside_a_broken_encoder(worst: float, both: bool) -> None:
    head = replace(HEAD, shape=np.array([0.1, worst, 0.1, 0.15]))
    said = named_sentence(diagnosis(Suspect.ENCODER, head=head, departures=(LayerDeparture("a", 0.9),)))
    row = " One row of the head stands out too: the head may be broken as well."
    assert said.endswith(f"layer 'a'.{row if both else ''}")
    assert named_sentence(diagnosis(Suspect.ENCODER, head=head)) == "The encoder looks broken."


def test_what_is_left_open_says_why() -> None:
    pair = Suspect.HEAD, Suspect.ENCODER
    assert named_sentence(diagnosis(*pair, divided=False)) == (
        "Not decided between: head or encoder. No head was found in this model, so that it cannot be told from the encoder."
    )
    assert named_sentence(diagnosis(*pair, departures=(LayerDeparture("a", 0.01),))).endswith(
        "The norms fit these images as closely as if they had been estimated again on them, so their records say nothing; the "
        "accuracy that the model once had (reported_accuracy) or an earlier version (--sound) would tell."
    )
    assert named_sentence(diagnosis(Suspect.HEAD, Suspect.NONE)) == (
        "Not decided between: head or nothing at all. The encoder keeps no records of its training; an "
        "earlier version of the model "
        "would tell (--sound)."
    )
    for named in ((Suspect.LABELS, Suspect.INPUT), pair):
        assert named_sentence(diagnosis(*named, departures=(LayerDeparture("a", 0.5),))).endswith(
            "below does not separate them."
        )


def counts(label: int, other: int) -> tuple[CauseCount, ...]:
    return CauseCount(Cause.LABEL, label, 0, 9), CauseCount(Cause.HARD, other, 0, 9)


@pytest.mark.parametrize(
    ("label", "other", "said"),
    [
        (1, 3, "The labels look at fault, not the model."),
        (1, 4, "Some labels may be wrong, but only 1 of 5 mistakes looks mislabelled: the model is not cleared."),
        (
            1200,
            4000,
            "Some labels may be wrong, but only 1,200 of 5,200 mistakes look mislabelled: the model is not cleared.",
        ),
    ],
)
def test_labels_are_at_fault_where_a_quarter_of_the_mistakes_are_theirs(label: int, other: int, said: str) -> None:
    assert named_sentence(diagnosis(Suspect.LABELS), counts(label, other)) == said
    assert named_sentence(diagnosis(Suspect.LABELS)) == "The labels look at fault, not the model."


def test_the_first_sentences_of_a_report() -> None:
    counted = [CauseCount(cause, number, 0, 9) for cause, number in zip(Cause, (1, 2, 0, 3, 0, 1, 1000), strict=True)]
    assert headline(diagnosis(Suspect.NONE), 1007, counted) == (
        "1,007 mistakes. No sign of a broken part. 1 looks mislabelled, 2 are ambiguous, 3 are put down to "
        "the encoder, 1 is hard for "
        "everybody and 1,000 stay undecided."
    )
    assert headline(diagnosis(Suspect.NONE), 1, counts(0, 1)) == (
        "1 mistake. No sign of a broken part. 0 look mislabelled and 1 is hard for everybody."
    )
    assert headline(diagnosis(Suspect.NONE), 0, counts(0, 0)) == "0 mistakes. No sign of a broken part."


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("posterior", "named"),
    [
        ([0.0, 0.0, 0.1, 0.6, 0.3], 2), ([0.1, 0.0, 0.1, 0.6, 0.2], 3), ([0.2, 0.0, 0.06, 0.55, 0.19], 1),
        ([0.25, 0.0, 0.01, 0.54, 0.2], 3),
        ([0.0, 0.0, 0.5, 0.0, 0.5], 2), ([0.0, 0.0, 0.49, 0.0, 0.51], 1), ([0.11, 0.0, 0.4, 0.0, 0.49], 2), ([0.2] * 5, 5),
        ([0.81, 0.0, 0.0, 0.0, 0.19], 1),
    ],
)  # fmt: skip
def test_so_many_suspects_are_named(posterior: list[float], named: int) -> None:
    suspects = named_suspects(np.array(posterior))
    assert len(suspects) == named
    assert list(suspects) == [SUSPECTS[k] for k in np.argsort(-np.array(posterior), kind="stable")[:named]]


@pytest.mark.parametrize(
    ("probabilities", "visible", "cause"),
    [
        ([0.5, 0.25, 0.25], True, Cause.AMBIGUOUS), ([0.5, 0.24, 0.26], True, Cause.UNDECIDED),
        ([0.8, 0.19, 0.01], True, Cause.UNDECIDED),
        ([0.45, 0.2, 0.35], False, Cause.UNDECIDED), ([0.2, 0.3, 0.5], False, Cause.HARD),
        ([0.55, 0.2, 0.25], False, Cause.AMBIGUOUS),
    ],
)  # fmt: skip
def test_an_image_is_ambiguous_hard_or_undecided(probabilities: list[float], visible: bool, cause: Cause) -> None:
    judged = LabelJudgement(np.zeros(1), np.array([1]), np.array([probabilities]), np.zeros(1, int), ("a",))
    assert of_images._no_part(judged, 0, 0, visible=visible) is cause


def test_counts_of_causes_have_wilson_intervals() -> None:
    images = [ImageDiagnosis(k, Cause.LABEL if k < 3 else Cause.HARD, 0.0, 0) for k in range(10)]
    counted = {entry.cause: (entry.count, entry.low, entry.high) for entry in count_causes(images)}
    # Wilson's interval of 3 in 10 is 0.1078 to 0.6032; of none 0 to 0.2775.
    assert counted[Cause.LABEL] == (3, 1, 7)
    assert counted[Cause.INPUT] == (0, 0, 3)
    assert {(entry.low, entry.high) for entry in count_causes([])} == {(0, 0)}


@pytest.mark.parametrize(
    ("exchange", "p_value", "chance", "named", "promising"),
    [
        (Exchange(8, 0, 400), 0.009, 0.0, True, False), (Exchange(7, 0, 400), 0.009, 0.0, False, True),
        (Exchange(8, 0, 400), 0.01, 0.0, False, True), (Exchange(8, 0, 400), 0.009, 0.42, False, True),
        (Exchange(8, 0, 400), 0.009, 0.4, True, False), (Exchange(20, 12, 400), 0.5, 0.0, False, True),
        (Exchange(12, 12, 400), 0.5, 0.0, False, False), (Exchange(14, 12, 400), 0.5, 0.0, False, False),
    ],
)  # fmt: skip
def test_a_change_of_the_input_is_named_or_promising(
    exchange: Exchange, p_value: float, chance: float, *, named: bool, promising: bool
) -> None:
    mending = Mending("a", "b", exchange, p_value, 0.8, chance)
    assert (mending.is_named, mending.is_promising) == (named, promising)


def test_changes_of_the_input_are_judged_together_the_most_gainful_first() -> None:
    labels = np.zeros(100, dtype=np.int64)
    outputs = np.r_[np.ones(20, int), np.zeros(80, int)]
    better, worse = np.r_[np.ones(5, int), np.zeros(95, int)], np.ones(100, int)
    first, second = judge_mendings(labels, outputs, {("w", "f"): worse, ("b", "g"): better}, chance=0.1)
    assert (first.name, first.exchange, first.accuracy, first.chance) == ("b", Exchange(15, 0, 100), 0.8, 0.1)
    assert first.p_value == pytest.approx(2 * 0.5**15)
    assert (second.exchange, second.p_value) == (Exchange(0, 80, 100), 1.0)
    assert judge_mendings(labels[:0], outputs[:0], {("b", "g"): better[:0]})[0].accuracy == 0.0


# ---------------------------------------------------------------- groups of failures, combinations, pairs

CONCEPTS = ("long-ears", "wheels")


def group(label: int | None, output: int | None, *conditions: Condition) -> FailureGroup:
    return FailureGroup(label, output, conditions, np.arange(1), Rate(80, 100), Rate(4, 1200), 0.001)


def test_a_group_of_failures_in_words() -> None:
    rest = "(80 of the 100 checked); of other bee images, under 1 % (4 of 1,200). Both halves together: 1 failure, 75 % of all."
    assert group_sentence(group(1, 2, Condition(0, True)), CONCEPTS, NAMES, 0.75) == (
        f"Of the quarter of bee images that shows “long ears” most, 80 % are taken for cat {rest}"
    )
    assert group_sentence(group(1, None, Condition(0, True), Condition(1, False)), CONCEPTS, NAMES, 0.75) == (
        "Of bee images that are both in the quarter that shows “long ears” most and in the quarter that "
        "shows “wheels” least, 80 % are "
        f"misclassified {rest}"
    )
    said = group_sentence(
        replace(group(None, None, Condition(1, False)), failures=np.arange(1200)), CONCEPTS, NAMES, 0.8
    )
    assert said == (
        "Of images that are in the quarter of their class that shows “wheels” least, 80 % are misclassified "
        "(80 of the 100 checked); of "
        "other images, under 1 % (4 of 1,200). Both halves together: 1,200 failures, 80 % of all."
    )
    for rate, share in (
        (Rate(1, 100), "1 %"),
        (Rate(99, 100), "99 %"),
        (Rate(0, 100), "0 %"),
        (Rate(0, 0), "0 %"),
        (Rate(1, 101), "1 %"),
        (Rate(1, 201), "under 1 %"),
        (Rate(199, 200), "over 99 %"),
        (Rate(200, 200), "100 %"),
    ):
        assert f"of other bee images, {share} (" in group_sentence(
            replace(group(1, 2, Condition(0, True)), outside=rate), CONCEPTS, NAMES, 0.25
        )


def test_combinations_and_searches_in_words() -> None:
    thin = ThinCombination(1, (0, 1), 1, 1234.4)
    assert thin_sentence(thin, CONCEPTS, NAMES) == (
        "Only 1 bee image is both in the quarter that shows “long ears” most and in the quarter that shows "
        "“wheels” most; if the two had "
        "nothing to do with each other, 1,234 would be."
    )
    assert thin_sentence(replace(thin, images=2), CONCEPTS, NAMES).startswith("Only 2 bee images are both")
    found = FailureSearch((group(1, 2),), 1500, 30, ())
    looked = "1,500 combinations of concepts were looked at on one half of 2,000 images"
    assert search_sentence(found, 2000, 0) == "There are no failures to group."
    assert search_sentence(replace(found, tried=0), 2000, 5).startswith("No group of failures could be looked for")
    assert search_sentence(replace(found, checked=0), 2000, 5).startswith(f"{looked}; none failed often enough")
    assert search_sentence(replace(found, groups=()), 2000, 5) == (
        f"{looked}, the 30 most promising were checked on the other half, and none held. No group of failures "
        f"stands out beyond chance."
    )
    assert search_sentence(found, 2000, 5).endswith(
        "other half, and 1 held there beyond chance (corrected for those checked)."
    )


def test_images_stand_out_beyond_the_quartiles_of_their_class() -> None:
    strengths = np.array([0.0, 1, 2, 3, 4, 10, 10, 10, 20, 20])[:, None]
    literals = literals_of(strengths, np.repeat([0, 1], 5))
    assert literals.T.tolist() == [[False] * 4 + [True] + [False] * 5, [True] + [False] * 9]
    sayable = Sayable(np.array([[True, False], [True, True]]), np.array([[False, True], [False, False]]))
    assert sayable.literals(None, None).tolist() == [True, False, True, False]
    assert sayable.literals(0, None).tolist() == [True, False, True, False]
    assert sayable.literals(0, 1).tolist() == [True, True, True, False]
    assert sayable.literals(1, 0).tolist() == [True, True, True, True]


def held(*, both: int, first: int = 100, second: int = 100, images: int = 400) -> Any:
    more = np.zeros((images, 2), dtype=bool)
    more[:first, 0] = True
    more[first - both : first - both + second, 1] = True
    return more


@pytest.mark.parametrize(
    ("more", "found"),
    [
        # 100 of 400 and 100 of 400: 25 together by chance, a quarter of which is 6.25.
        (held(both=6), True), (held(both=7), False), (held(both=0), True),
        # 40 together by chance of 400; a quarter is 10, which is not below 10.
        (held(both=9, first=160), True), (held(both=10, first=160), False),
        # 9.75 by chance are too few to say anything.
        (held(both=0, first=39), False), (held(both=0, first=40), True),
    ],
)  # fmt: skip
def test_a_combination_is_thin_at_a_quarter_of_what_chance_would_give(more: Any, found: bool) -> None:
    labels, none = np.zeros(400, dtype=np.int64), np.zeros((1, 2), dtype=bool)
    thin = thin_combinations(more, labels, np.array([4, 7]), none)
    assert len(thin) == found
    assert thin == () or (thin[0].concepts, thin[0].images, thin[0].expected) == (
        (4, 7), int((more[:, 0] & more[:, 1]).sum()), more[:, 0].sum() * more[:, 1].sum() / 400,
    )  # fmt: skip
    assert thin_combinations(more, labels, np.array([4, 7]), np.array([[True, False]])) == ()
    assert thin_combinations(more, labels, np.array([4, 7]), np.array([[False, True]])) == ()


@pytest.mark.parametrize("criterion", ["bound", "rate"])
@pytest.mark.parametrize("share", [0.5, 0.8, 1.0])
def test_predicates_are_mined_by_loops_as_well(criterion: Any, share: float) -> None:
    rng = np.random.default_rng(1)
    values, labels = rng.integers(0, 9, (90, 3)) + np.array([2.0, 6.0, 0.0]), rng.integers(0, 2, 90)
    names = ("a", "b", "c")
    expected = []
    for index, name in enumerate(("x", "y")):
        own = values[labels == index]
        rows = []
        for i in range(3):
            for j in range(3):
                if i != j:
                    holds = int((own[:, i] > own[:, j]).sum())
                    low = float(clopper_pearson(np.array([holds]), len(own), 1 - 2 * 0.05 / (6 * 3))[0][0])
                    if (low if criterion == "bound" else holds / len(own)) >= share:
                        rows.append(MinedPredicate(name, names[i], names[j], holds, len(own), low))
        expected += sorted(rows, key=lambda row: (-row.holds, row.left, row.right))
    mined = mine(values, labels, class_names=("x", "y", "z"), concept_names=names, share=share, criterion=criterion)
    assert [(m.class_name, m.left, m.right, m.holds, m.images) for m in mined] == [
        (m.class_name, m.left, m.right, m.holds, m.images) for m in expected
    ]
    assert [m.lower for m in mined] == pytest.approx([m.lower for m in expected])
    assert all(m.rate == m.holds / m.images for m in (*mined, MinedPredicate("x", "a", "b", 1, 2, 0.0)))
    for wrong in ({"share": 0.0}, {"share": 1.01}, {"confidence": 0.0}, {"confidence": 1.0}):
        with pytest.raises(UserError):
            mine(values, labels, class_names=("x", "y"), concept_names=names, **wrong)  # type: ignore[arg-type]


def test_shares_of_pairs_and_expected_pairs() -> None:
    agreed = np.array([[[9, 4, 2], [4, 9, 6], [2, 6, 9]], [[0] * 3] * 3])
    assert agreement(agreed, np.array([8, 4])).tolist() == [(4 + 2 + 6) / 24, 0.0]
    assert np.isnan(agreement(agreed, np.array([8, 0]))[1]) or agreement(agreed, np.array([8, 0]))[1] == 0


def test_pairs_that_the_table_expects_come_weakest_first() -> None:
    shares = np.array([[0.5, 0.09, 0.3], [0.49, 1.0, 0.0]])
    table = ClassAttributes(("x", "y"), ("a", "b", "c"), shares)
    counts = [HeatmapCounts(np.arange(9).reshape(3, 3), 10), HeatmapCounts(np.arange(9).reshape(3, 3), 8)]
    assert expected_pairs(counts, table) == [ExpectedPair(0, 0, 1, 1, 10), ExpectedPair(1, 1, 2, 5, 8)]
    nothing = [HeatmapCounts(np.zeros((3, 3), dtype=np.int64), 0), counts[1]]
    assert [pair.class_index for pair in expected_pairs(nothing, table)] == [1, 0]

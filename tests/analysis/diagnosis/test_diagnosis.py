"""What is named, what is left open, and what a failure is put down to."""

from dataclasses import replace

import numpy as np
import pytest

from conspect.analysis.class_order import class_order
from conspect.analysis.diagnosis.blame import LEAST_BROKEN, LEAST_NEW, SIGNS, BlameWeights
from conspect.analysis.diagnosis.evidence import FEATURES, ModelEvidence, features
from conspect.analysis.diagnosis.exchange import Exchange
from conspect.analysis.diagnosis.head import head_evidence
from conspect.analysis.diagnosis.images import Cause, ImageEvidence, Views, count_causes, diagnose_images, views_of
from conspect.analysis.diagnosis.labels import LabelJudgement, judge_labels
from conspect.analysis.diagnosis.mendings import PLAINLY, Mending
from conspect.analysis.diagnosis.preparation import Preparation
from conspect.analysis.diagnosis.weighing import (
    SUSPECTS,
    EvidenceWeights,
    ModelDiagnosis,
    NamedSuspects,
    Suspect,
    diagnose,
    fit_weights,
    named_suspects,
    order_posterior,
)
from conspect.analysis.diagnosis.words import evidence_sentences, headline, named_sentence
from conspect.core.protocols import LayerDeparture
from conspect.core.spaces import Head
from conspect.statistics.logistic import LogisticModel
from conspect.study.diagnosing.record import blame_weights, evidence_weights

CLASSES, SIZE = 6, 12
NAMES = tuple("abcdef")


def world(seed: int, images: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, images)
    return np.eye(SIZE)[labels] + 0.42 * rng.normal(size=(images, SIZE)), labels


def evidence_of(
    head: Head, move: float = 0.0, wrong: int = 0, names: np.ndarray | None = None, *, merged: bool = False
) -> tuple:
    (train, train_labels), (test, test_labels) = world(0), world(1)
    shift = move * np.random.default_rng(5).normal(size=SIZE)
    train, test = train + shift, test + shift
    given = test_labels.copy()
    given[:wrong] = (given[:wrong] + 1) % CLASSES
    if merged:
        given = np.where(given == 2, 1, given)
    if names is not None:
        train_labels, given = names[train_labels], names[given]
    seen = 6 * np.eye(CLASSES)[test_labels] + np.random.default_rng(2).normal(size=(len(test), CLASSES))
    other = 6 * np.eye(CLASSES)[test_labels] + np.random.default_rng(3).normal(size=(len(test), CLASSES))
    head_marks = head_evidence(head, train, train_labels, test, given)
    outputs = head.logits(test).argmax(1)
    evidence = ModelEvidence(
        head_marks,
        class_order(given, outputs, CLASSES),
        class_order(given, seen.argmax(1), CLASSES),
        judge_labels({"model": head.logits(test), "refit": head_marks.refitted_test, "v": seen, "p": other}, given),
    )
    return evidence, given, outputs, (seen, other)


def failures_of(evidence: ModelEvidence, labels: np.ndarray, outputs: np.ndarray, vlm: tuple) -> list:
    answer = diagnose(evidence, evidence_weights())
    return diagnose_images(answer, views_of(evidence, labels, vlm), outputs, blame_weights())


SOUND = Head.linear(4 * np.eye(CLASSES, SIZE), np.zeros(CLASSES))
BIASED = Head.linear(4 * np.eye(CLASSES, SIZE), np.array([0, 0, 6.0, 0, 0, 0]))


def test_the_shipped_weights_name_what_is_broken() -> None:
    weights = evidence_weights()
    assert diagnose(evidence_of(SOUND)[0], weights).suspect is Suspect.NONE
    assert diagnose(evidence_of(BIASED)[0], weights).suspect is Suspect.HEAD
    moved = replace(evidence_of(SOUND, move=0.8)[0], departures=(LayerDeparture("bn", 0.9),))
    assert diagnose(moved, weights).named[0] is Suspect.ENCODER
    assert diagnose(evidence_of(SOUND, wrong=200)[0], weights).suspect is Suspect.LABELS


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ([(0.02, 0.14), (0.11, 0.15), (0.08, 0.13), (0.13, 0.15)], None),  # heavy augmentation moves all deviations
        ([(0.01, 0.02), (0.03, 0.03), (0.04, 0.03), (0.07, 0.07)], None),  # images known by heart move the last ones
        ([(0.01, 0.02), (0.02, 0.03), (0.20, 0.16), (0.20, 0.10)], 2),  # channels zeroed after the second
        ([(0.02, 0.14), (0.11, 0.15), (0.34, 0.24), (0.39, 0.09)], 2),
        ([(0.01, 0.01), (0.01, 0.02), (0.02, 0.45), (0.02, 0.50)], 2),  # louder, around the same means
        ([(0.62, 0.44), (0.28, 0.32), (0.25, 0.29)], 0),
        ([(float("nan"), float("nan")), (float("nan"), float("nan"))], 0),
    ],
)
def test_norms_depart_where_they_are_further_off_than_those_before_them(values: list, place: int | None) -> None:
    layers = tuple(LayerDeparture(str(k), *pair) for k, pair in enumerate(values))
    evidence = replace(evidence_of(SOUND)[0], departures=layers)
    assert evidence.beginning == (None if place is None else layers[place])
    assert (evidence.departed > 0.3) == (place is not None)


@pytest.mark.parametrize(("departure", "cleared"), [(0.001, False), (0.059, False), (0.061, True)])
def test_norms_that_fit_too_well_clear_nothing(departure: float, cleared: bool) -> None:
    weights = evidence_weights()
    evidence = replace(evidence_of(SOUND)[0], departures=(LayerDeparture("bn", departure),))
    answer = diagnose(evidence, weights)
    assert (answer.suspect is Suspect.NONE) == cleared
    assert answer.posterior.sum() == pytest.approx(1)
    if not cleared:
        assert set(answer.named) == {Suspect.NONE, Suspect.ENCODER, Suspect.HEAD}
        biased = replace(evidence_of(BIASED)[0], departures=(LayerDeparture("bn", departure),))
        assert set(diagnose(biased, weights).named) == {Suspect.ENCODER, Suspect.HEAD}
    measured = diagnose(replace(evidence, closeness=0.061 if cleared else 0.059), weights)
    assert (measured.suspect is Suspect.NONE) == cleared
    # Where the accuracy is known to be what it was, nothing is taken off.
    known = diagnose(replace(evidence, reported=evidence.head.accuracy), weights)
    assert known.suspect is Suspect.NONE


def test_where_accuracy_was_lost_it_is_not_said_that_nothing_is_broken() -> None:
    weights, evidence = evidence_weights(), replace(evidence_of(SOUND)[0], departures=(LayerDeparture("bn", 0.1),))
    assert diagnose(evidence, weights).suspect is Suspect.NONE
    lost = diagnose(replace(evidence, reported=min(evidence.head.accuracy + 0.08, 1.0)), weights)
    assert lost.suspect is not Suspect.NONE
    assert lost.posterior.sum() == pytest.approx(1)


@pytest.mark.parametrize("scale", [0.1, 0.5, 20.0])
def test_a_scale_of_the_logits_changes_no_answer(scale: float) -> None:
    layer = BIASED.layers[0]
    scaled = Head.linear(scale * layer.weight, scale * layer.offset)
    own, other = (diagnose(evidence_of(head)[0], evidence_weights()) for head in (BIASED, scaled))
    assert other.posterior == pytest.approx(own.posterior, abs=1e-6)


def test_a_change_of_the_input_that_mends_rules_out_that_nothing_is_broken() -> None:
    weights, evidence = evidence_weights(), evidence_of(SOUND)[0]
    before = diagnose(evidence, weights).posterior
    named = Mending("BGR", "feed RGB", Exchange(40, 0, 400), 1e-6, 0.8)
    diagnosis = diagnose(replace(evidence, mendings=(named,)), weights)
    assert before[SUSPECTS.index(Suspect.NONE)] > 0.5
    assert diagnosis.posterior[SUSPECTS.index(Suspect.NONE)] == 0
    assert diagnosis.posterior.sum() == pytest.approx(1)
    assert diagnosis.suspect is Suspect.INPUT
    assert named_sentence(diagnosis) == "The input pipeline looks broken: feed RGB: 80.0 % becomes 90.0 %."


def certain_of_nothing() -> EvidenceWeights:
    bias = np.array([0.0, 0.0, 0.0, 1.0, 3.0])
    return EvidenceWeights(LogisticModel(np.zeros((len(FEATURES), len(SUSPECTS))), bias))


@pytest.mark.parametrize(("fixes", "excluded"), [(34, False), (37, True)])
def test_what_another_head_mends_for_sure_is_not_called_nothing(fixes: int, excluded: bool) -> None:
    # 34 / sqrt(35) is 5.7 standard errors, 37 / sqrt(38) is 6.002.
    evidence = evidence_of(SOUND)[0]
    mended = replace(evidence, head=replace(evidence.head, corrected=Exchange(fixes, 0, 1000)))
    answer = diagnose(mended, certain_of_nothing())
    assert (answer.posterior[SUSPECTS.index(Suspect.NONE)] == 0) == excluded
    assert answer.posterior.sum() == pytest.approx(1)
    shares = answer.posterior[:4] / answer.posterior[0]
    assert shares == pytest.approx([1, 1, 1, np.e])


@pytest.mark.parametrize(("images", "said"), [(1, "1 image"), (1200, "1,200 images")])
def test_a_model_that_gives_no_number_for_an_image_is_not_sound(images: int, said: str) -> None:
    answer = diagnose(replace(evidence_of(SOUND)[0], not_finite=images), evidence_weights())
    assert answer.suspect is Suspect.ENCODER
    assert answer.posterior[SUSPECTS.index(Suspect.NONE)] == 0
    assert named_sentence(answer) == f"The encoder looks broken: for {said} its embedding is NaN or infinite."


def test_where_norms_are_off_their_records_it_is_not_said_that_nothing_is_broken() -> None:
    evidence = replace(evidence_of(SOUND)[0], departures=(LayerDeparture("bn", 0.5, 0.2), LayerDeparture("bn 2", 0.5)))
    answer = diagnose(evidence, certain_of_nothing())
    assert set(answer.named) >= {Suspect.NONE, Suspect.ENCODER, Suspect.INPUT}
    assert answer.posterior.sum() == pytest.approx(1)
    assert named_sentence(answer).endswith("other than in training, and nothing that was tried mends it.")
    kept = diagnose(replace(evidence, reported=evidence.head.accuracy), certain_of_nothing())
    assert kept.suspect is Suspect.NONE


def test_classes_that_a_head_cannot_tell_apart_are_not_nothing() -> None:
    evidence = evidence_of(SOUND)[0]
    before = diagnose(evidence, evidence_weights())
    shared = diagnose(replace(evidence, head=replace(evidence.head, same_rows=((1, 2),))), evidence_weights())
    assert before.suspect is Suspect.NONE
    assert shared.suspect is Suspect.HEAD
    assert shared.posterior.sum() == pytest.approx(1)
    assert any(
        "'b' and 'c' have the same weights in the head" in said for said in evidence_sentences(shared.evidence, NAMES)
    )


def test_a_class_whose_labels_are_all_another_s_is_told_and_its_images_are_suspect() -> None:
    evidence, given, outputs, vlm = evidence_of(SOUND, merged=True)
    assert any(
        said.startswith("No image is labelled 'c', but every judge") for said in evidence_sentences(evidence, NAMES)
    )
    assert diagnose(evidence, evidence_weights()).suspect is Suspect.LABELS
    merged = world(1)[1] == 2
    causes = [image.cause for image in failures_of(evidence, given, outputs, vlm) if merged[image.row]]
    assert causes.count(Cause.LABEL) > 0.85 * len(causes) > 200


def test_embeddings_that_are_not_steady_rule_out_that_nothing_is_broken() -> None:
    weights, evidence = evidence_weights(), evidence_of(SOUND)[0]
    found = diagnose(replace(evidence, unsteady=0.5), weights)
    assert found.posterior[SUSPECTS.index(Suspect.NONE)] == 0
    assert found.suspect is Suspect.ENCODER
    assert (
        named_sentence(found) == "The encoder looks broken: the same image gets another embedding beside other images."
    )
    assert any("50 % of the deviation over images" in said for said in evidence_sentences(found.evidence, NAMES))


def test_what_does_not_arrive_is_said_beside_a_plain_preparation_that_mends() -> None:
    weights, evidence = evidence_weights(), evidence_of(SOUND)[0]
    plainly = Mending(PLAINLY, "prepare the images plainly", Exchange(40, 0, 400), 1e-6, 0.8)
    grey = replace(evidence, preparation=Preparation(0.0, 1.0), mendings=(plainly,))
    assert named_sentence(diagnose(grey, weights)) == (
        "The input pipeline looks broken: colours do not reach the model (the images are made grey); prepare the images "
        "plainly: 80.0 % becomes 90.0 %."
    )
    other = replace(grey, mendings=(replace(plainly, name="BGR", fix="feed RGB"),))
    assert named_sentence(diagnose(other, weights)) == (
        "The input pipeline looks broken: feed RGB: 80.0 % becomes 90.0 %."
    )


def test_other_names_are_named_before_anything_else() -> None:
    shifted = np.roll(np.arange(CLASSES), 1)
    diagnosis = diagnose(evidence_of(SOUND, names=shifted)[0], evidence_weights())
    assert diagnosis.suspect is Suspect.LABELS
    assert named_sentence(diagnosis) == "The class names are in another order than the model's outputs."


def test_two_exchanged_names_that_the_vlm_shares_may_as_well_be_rows_of_the_head() -> None:
    exchanged = np.array([1, 0, 2, 3, 4, 5])
    rows = Head.linear(4 * np.eye(CLASSES, SIZE)[exchanged], np.zeros(CLASSES))
    rest = 0.02 / 3
    causes = {
        "rows": order_posterior(evidence_of(rows)[0]),
        "names": order_posterior(evidence_of(SOUND, names=exchanged)[0]),
        "all names": order_posterior(evidence_of(SOUND, names=np.roll(np.arange(CLASSES), 1))[0]),
    }
    assert causes["rows"] == pytest.approx([0.25, rest, rest, 0.73, rest])
    assert causes["names"] == pytest.approx([0.95, rest, rest, 0.03, rest])
    assert causes["all names"] == pytest.approx([0.95, rest, rest, 0.03, rest])
    assert order_posterior(evidence_of(SOUND)[0]) is None


def test_labels_are_not_at_fault_for_mistakes_of_which_few_look_mislabelled() -> None:
    evidence, labels, outputs, vlm = evidence_of(SOUND, wrong=200)
    diagnosis = diagnose(evidence, evidence_weights())
    images = failures_of(evidence, labels, outputs, vlm)
    own = count_causes(images)
    assert "The labels look at fault, not the model." in headline(diagnosis, len(images), own)
    few = [replace(cause, count={Cause.LABEL: 1, Cause.HARD: 19}.get(cause.cause, 0)) for cause in own]
    wanted = "Some labels may be wrong, but only 1 of 20 mistakes looks mislabelled: the model is not cleared."
    assert headline(diagnosis, 20, few).startswith(f"20 mistakes. {wanted} 1 looks mislabelled")
    assert named_sentence(diagnosis, few) == wanted


def test_what_cannot_be_told_apart_is_named_together() -> None:
    assert named_suspects(np.array([0.0, 0.05, 0.45, 0.45, 0.05])) == (Suspect.ENCODER, Suspect.HEAD)
    assert named_suspects(np.array([0.0, 0.1, 0.7, 0.2, 0.0])) == (Suspect.ENCODER,)
    assert named_suspects(np.array([0.0, 0.1, 0.55, 0.35, 0.0])) == (Suspect.ENCODER,)
    assert named_suspects(np.array([0.0, 0.1, 0.54, 0.36, 0.0])) == (Suspect.ENCODER, Suspect.HEAD)
    assert named_suspects(np.array([0.0, 0.0, 0.3, 0.2, 0.5])) == (Suspect.NONE,)
    # Where it may be that nothing is broken, no part is called broken alone.
    assert named_suspects(np.array([0.0, 0.0, 0.65, 0.05, 0.3])) == (Suspect.ENCODER, Suspect.NONE)
    assert named_suspects(np.array([0.0, 0.0, 0.4, 0.0, 0.6])) == (Suspect.NONE,)
    evidence = evidence_of(SOUND)[0]
    posterior = np.array([0.0, 0.05, 0.45, 0.45, 0.05])
    open_answer = ModelDiagnosis(posterior, named_suspects(posterior), evidence)
    assert named_sentence(open_answer).startswith("Not decided between: encoder or head.")
    assert "keeps no records" in named_sentence(open_answer)
    again = replace(open_answer, evidence=replace(evidence, departures=(LayerDeparture("bn", 0.005),)))
    assert "their records say nothing" in named_sentence(again)


def test_on_a_sound_model_no_failure_is_put_down_to_a_part() -> None:
    evidence, labels, outputs, vlm = evidence_of(SOUND)
    images = failures_of(evidence, labels, outputs, vlm)
    assert len(images) == (outputs != labels).sum() > 20
    assert {image.cause for image in images} & {Cause.HEAD, Cause.ENCODER, Cause.INPUT} == set()


def test_failures_of_a_broken_head_are_its_own_where_another_head_would_do() -> None:
    evidence, labels, outputs, vlm = evidence_of(BIASED)
    images = failures_of(evidence, labels, outputs, vlm)
    sound = SOUND.logits(world(1)[0]).argmax(1)
    new = [image for image in images if sound[image.row] == labels[image.row]]
    assert sum(image.cause is Cause.HEAD for image in new) > 0.7 * len(new)
    old = [image for image in images if sound[image.row] != labels[image.row]]
    assert sum(image.cause is Cause.HEAD for image in old) < 0.5 * len(old)


def test_wrong_labels_are_told_from_failures() -> None:
    evidence, labels, outputs, vlm = evidence_of(SOUND, wrong=30)
    images = failures_of(evidence, labels, outputs, vlm)
    suspect = {image.row for image in images if image.cause is Cause.LABEL}
    assert len(suspect) >= 20
    assert len(suspect - set(range(30))) <= 2


@pytest.mark.parametrize(
    ("wrong", "votes", "suspect"), [(0.9, 3, True), (0.9, 2, False), (0.89, 4, False), (1.0, 4, True), (1.0, 0, False)]
)
def test_a_label_is_suspect_where_more_than_half_of_the_judges_say_the_same_other_class(
    wrong: float, votes: int, suspect: bool
) -> None:
    labels = np.array([0, 1, 2, 0, 1, 2])
    right = 9.0 * np.eye(3)[labels]
    judged = LabelJudgement(np.full(6, wrong), (labels + 1) % 3, np.eye(3)[labels], np.full(6, votes), tuple("abcd"))
    judgements = Views(labels, judged, right, right, (right, right)).evidence()
    assert judgements.label_suspect.tolist() == [suspect] * 6
    assert judgements.visible.all()
    everything = BlameWeights(np.zeros((2, len(SIGNS))), np.full(2, 9.0))
    for named, part in ((Suspect.HEAD, Cause.HEAD), (Suspect.NONE, None)):
        answer = NamedSuspects(np.eye(len(SUSPECTS))[SUSPECTS.index(named)], (named,))
        assert judgements.causes(answer, everything) == [Cause.LABEL if suspect else part] * 6
    other = 9.0 * np.eye(3)[(labels + 1) % 3]
    assert not Views(labels, judged, other, right, (other,)).evidence().visible.any()
    assert Views(labels, judged, right, other, (other,)).evidence().visible.all()
    assert Views(labels, judged, other, other, (right,)).evidence().visible.all()


@pytest.mark.parametrize(
    ("named", "part"), [(Suspect.HEAD, Cause.HEAD), (Suspect.ENCODER, Cause.ENCODER), (Suspect.INPUT, Cause.INPUT)]
)
def test_a_failure_is_put_down_to_a_part_that_is_surely_broken_where_it_would_be_right_without(
    named: Suspect, part: Cause
) -> None:
    odds = np.array([[4.0, -0.1, -4.0], [-4.0, -6.0, 4.0], [0.0, 0.0, 0.0]])
    images = ImageEvidence(np.zeros(3, bool), odds)
    # The third image is as likely to be new as the least that is put down.
    weights = BlameWeights(np.tile([1.0, 0.0], (2, 1)), np.full(2, np.log(LEAST_NEW / (1 - LEAST_NEW)) + 1e-9))
    for broken in (1.0, LEAST_BROKEN, LEAST_BROKEN - 1e-9):
        posterior = np.full(len(SUSPECTS), (1 - broken) / (len(SUSPECTS) - 1))
        posterior[SUSPECTS.index(named)] = broken
        expected = [part, None, part] if broken >= LEAST_BROKEN else [None] * 3
        assert images.causes(NamedSuspects(posterior, (named,)), weights) == expected
    assert images.causes(NamedSuspects(np.full(5, 0.2), (Suspect.HEAD, Suspect.ENCODER)), weights) == [None] * 3


def test_counts_add_up_and_lie_in_their_intervals() -> None:
    evidence, labels, outputs, vlm = evidence_of(BIASED)
    images = failures_of(evidence, labels, outputs, vlm)
    counts = count_causes(images)
    assert sum(cause.count for cause in counts) == len(images)
    assert all(cause.low <= cause.count <= cause.high for cause in counts)
    assert [(cause.cause, cause.count, cause.low, cause.high) for cause in count_causes([])] == [
        (cause, 0, 0, 0) for cause in Cause
    ]


def test_the_first_sentence_counts_mistakes_and_names_what_is_broken() -> None:
    evidence, labels, outputs, vlm = evidence_of(SOUND)
    diagnosis = diagnose(evidence, evidence_weights())
    images = failures_of(evidence, labels, outputs, vlm)
    said = headline(diagnosis, len(images), count_causes(images))
    assert said.startswith(f"{len(images)} mistakes. No sign of a broken part. ")
    assert "mislabelled" in said
    assert "head" not in said
    assert headline(diagnosis, 0, count_causes([])) == "0 mistakes. No sign of a broken part."
    sentences = evidence_sentences(evidence, NAMES)
    assert any("no head fault" in line for line in sentences)


def test_weights_fitted_on_cases_tell_them_apart_and_survive_their_table() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(len(SUSPECTS)), 20)
    evidence = np.eye(len(FEATURES))[truth] + 0.1 * rng.normal(size=(len(truth), len(FEATURES)))
    weights = fit_weights(evidence, truth)
    again = type(weights).from_table(weights.table())
    for suspect in range(len(SUSPECTS)):
        posterior = again.posterior(np.eye(len(FEATURES))[suspect])
        assert posterior.argmax() == suspect
        assert posterior.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="other evidence"):
        type(weights).from_table(replace(weights.table(), features=("something else",)))


def test_numbers_are_finite_for_evidence_that_is_not() -> None:
    evidence = evidence_of(SOUND)[0]
    broken = replace(evidence, departures=(LayerDeparture("bn", float("nan")),), labels=None)
    assert np.isfinite(features(broken)).all()

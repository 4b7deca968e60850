"""The numbers that are weighed, each worked out by hand from evidence that was made up."""

from dataclasses import replace
from math import log, sqrt

import numpy as np
import pytest

from conspect.analysis.class_order import ClassOrder
from conspect.analysis.diagnosis.evidence import FEATURES, ModelEvidence, features
from conspect.analysis.diagnosis.exchange import Exchange
from conspect.analysis.diagnosis.head import HeadEvidence
from conspect.analysis.diagnosis.labels import LabelJudgement
from conspect.analysis.diagnosis.mendings import PLAINLY, Mending
from conspect.analysis.diagnosis.preparation import Preparation
from conspect.core.protocols import LayerDeparture, LayerMark
from conspect.core.spaces import Float64
from conspect.statistics.corrected_logistic import CorrectedModel
from conspect.statistics.logistic import LogisticModel

NOTHING: Float64 = np.zeros((1, 1))
# 35 images are fixed and 10 broken: 25 / sqrt(46), a quarter of which is counted.
SURPRISE = 25 / sqrt(46) / 4
ORDERED = ClassOrder((), 0.8, 0.8)
HEAD = HeadEvidence(
    accuracy=0.8,
    biases=Exchange(0, 0, 400),
    unbiased=Exchange(0, 0, 400),
    corrected=Exchange(35, 10, 400),
    refitted=Exchange(35, 10, 400),
    shape=np.array([0.4, 1.6, 0.1, 0.8]),
    shift=np.array([0.02, 0.16, 0.64, 0.32]),
    zeros=0.0,
    distinct=1.0,
    refitted_test=NOTHING,
    corrected_test=NOTHING,
    given_test=NOTHING,
    correction=CorrectedModel(1.0, NOTHING, NOTHING[0]),
    refit=LogisticModel(NOTHING, NOTHING[0]),
    scale=1.0,
)
PLAIN = Mending(PLAINLY, "prepare plainly", Exchange(4, 3, 100), 1.0, 0.8)
SOUND_HEAD = replace(HEAD, corrected=Exchange(0, 0, 400), shift=np.full(4, 0.01), shape=np.full(4, 0.01))
EVIDENCE, SOUND = ModelEvidence(HEAD, ORDERED, ORDERED), ModelEvidence(SOUND_HEAD, ORDERED, ORDERED)
# What a head alone says: the third class's shift is twice the least, the worst's eight times; misfits likewise.
BY_HEAD = {
    "surprise at what a corrected head fixes": SURPRISE,
    "shift of the third class, without records": log(2),
    "shift of the worst class beyond it": log(4),
    "misfit of the third class": log(2),
    "misfit of the worst class beyond it": log(4),
}
WITH_NORMS = {name: value for name, value in BY_HEAD.items() if name != "shift of the third class, without records"}


def departed(*values: float) -> tuple[LayerDeparture, ...]:
    return tuple(LayerDeparture(f"norm {place}", value) for place, value in enumerate(values))


CASES: dict[str, tuple[ModelEvidence, dict[str, float]]] = {
    "a sound head": (SOUND, {}),
    "a head that is off": (EVIDENCE, BY_HEAD),
    "on more images, of which a thousand count": (
        replace(EVIDENCE, head=replace(HEAD, corrected=Exchange(35, 10, 4000))),
        BY_HEAD | {"surprise at what a corrected head fixes": SURPRISE / 2},
    ),
    "the largest surprise": (
        replace(EVIDENCE, head=replace(HEAD, corrected=Exchange(900, 0, 1000))),
        BY_HEAD | {"surprise at what a corrected head fixes": 2.0},
    ),
    "the largest surprise, of which a whole one counts beside biases": (
        replace(EVIDENCE, head=replace(HEAD, corrected=Exchange(900, 0, 1000), biases=Exchange(900, 0, 1000))),
        BY_HEAD
        | {
            "surprise at what a corrected head fixes": 2.0,
            "surprise at what other biases alone fix": 2.0,
            "part of what a corrected head fixes that other biases fix": 1.0,
        },
    ),
    "the largest surprise beside norms off their records": (
        replace(
            EVIDENCE, head=replace(HEAD, corrected=Exchange(900, 0, 1000)), departures=departed(0.15 * np.exp(1.0), 0.1)
        ),
        WITH_NORMS
        | {
            "surprise at what a corrected head fixes": 2.0,
            "the same, with norms off their records": 2.0,
            "departure of the norms, where a corrected head helps": 1.0,
        },
    ),
    "what breaks more than it fixes": (
        replace(EVIDENCE, head=replace(HEAD, corrected=Exchange(10, 35, 400))),
        BY_HEAD | {"surprise at what a corrected head fixes": 0.0},
    ),
    "norms at their records": (
        replace(EVIDENCE, departures=departed(0.1, 0.15 * np.exp(0.2))),
        WITH_NORMS
        | {
            "surprise at a corrected head, with norms at their records": SURPRISE,
            "norms at their records": 1.0,
            "departure of the norms, where a corrected head helps": 0.2 * min(SURPRISE, 1),
        },
    ),
    "norms off their records": (
        replace(EVIDENCE, departures=departed(0.15 * np.exp(1.0), 0.1)),
        WITH_NORMS
        | {
            "the same, with norms off their records": SURPRISE,
            "departure of the norms, where a corrected head helps": min(SURPRISE, 1),
        },
    ),
    "labels of which three in a hundred look wrong, on 400 images": (
        replace(SOUND, labels=LabelJudgement(np.full(50, 0.03), np.zeros(50, int), NOTHING, np.zeros(50, int), ("a",))),
        {"labels that look wrong": sqrt(400 / 1000) * log(2)},
    ),
    "norms far beyond alone say that something is off": (
        replace(SOUND, departures=departed(1e9), head=replace(SOUND_HEAD, zeros=1.0)),
        {"head pruned or rounded, where something is off": 1.0},
    ),
    "norms estimated again, which count as none": (replace(EVIDENCE, departures=departed(0.029)), BY_HEAD),
    "norms a little more off": (replace(SOUND, departures=departed(0.031)), {"norms at their records": 1.0}),
    "a norm that is further off than the one before it": (
        # 0.166 against the least, 0.05, less what is sound; its means alone are 0.1 beyond the least.
        replace(EVIDENCE, departures=departed(0.04, 0.05 * np.exp(1.2))),
        WITH_NORMS
        | {
            "the same, with norms off their records": SURPRISE,
            "departure of the norms, where a corrected head helps": 0.5 * min(SURPRISE, 1),
        },
    ),
    "deviations that are further off": (
        replace(EVIDENCE, departures=(LayerDeparture("a", 0.1), LayerDeparture("b", 0.0, 0.1 * np.exp(1.7)))),
        WITH_NORMS
        | {
            "the same, with norms off their records": SURPRISE,
            "departure of the norms, where a corrected head helps": min(SURPRISE, 1),
        },
    ),
    "biases that mend as much": (
        replace(EVIDENCE, head=replace(HEAD, biases=Exchange(35, 10, 400))),
        BY_HEAD
        | {
            "surprise at what other biases alone fix": SURPRISE,
            "part of what a corrected head fixes that other biases fix": min(SURPRISE, 1),
        },
    ),
    "biases that mend more, of which all that a corrected head mends is counted": (
        replace(EVIDENCE, head=replace(HEAD, biases=Exchange(900, 0, 1000))),
        BY_HEAD
        | {
            "surprise at what other biases alone fix": 2.0,
            "part of what a corrected head fixes that other biases fix": min(SURPRISE, 1),
        },
    ),
    "biases that mend a part": (
        # 8 are fixed and none broken, of what 35 against 10 fix.
        replace(EVIDENCE, head=replace(HEAD, biases=Exchange(8, 0, 400))),
        BY_HEAD
        | {
            "surprise at what other biases alone fix": 8 / 3 / 4,
            "part of what a corrected head fixes that other biases fix": min(SURPRISE, 1) * 8 / 3 / 4 / SURPRISE,
        },
    ),
    "a change of the input that mends less than another head": (
        replace(EVIDENCE, mendings=(Mending("contrast", "raise it", Exchange(14, 0, 400), 1e-4, 0.8),)),
        BY_HEAD,
    ),
    "a change of the input that may mend as much as another head": (
        replace(EVIDENCE, mendings=(Mending("contrast", "raise it", Exchange(18, 0, 400), 1e-5, 0.8),)),
        BY_HEAD | {"an input that mends": 1.0},
    ),
    "a head that is better without its biases": (
        replace(SOUND, head=replace(SOUND_HEAD, unbiased=Exchange(35, 10, 400))),
        {"surprise at what a head without biases fixes": SURPRISE},
    ),
    "a pruned head of a sound model": (replace(SOUND, head=replace(SOUND_HEAD, zeros=0.5)), {}),
    "a pruned head with norms at their records, by which nothing is off": (
        replace(SOUND, departures=departed(0.1), head=replace(HEAD, corrected=Exchange(0, 0, 400), zeros=0.5)),
        {name: value for name, value in WITH_NORMS.items() if "surprise" not in name} | {"norms at their records": 1.0},
    ),
    "a pruned head": (
        replace(EVIDENCE, head=replace(HEAD, zeros=0.051)),
        BY_HEAD | {"head pruned or rounded, where something is off": min(SURPRISE, 1)},
    ),
    "a head with few zeros": (replace(EVIDENCE, head=replace(HEAD, zeros=0.05)), BY_HEAD),
    "a rounded head": (
        replace(EVIDENCE, head=replace(HEAD, distinct=0.69)),
        BY_HEAD | {"head pruned or rounded, where something is off": min(SURPRISE, 1)},
    ),
    "a pruned layer": (
        replace(EVIDENCE, marks=(LayerMark("first", 0.2, 0.35), LayerMark("second", 0.21, 0.0))),
        BY_HEAD | {"encoder pruned, rounded or clipped, where something is off": min(SURPRISE, 1)},
    ),
    "a rounded layer": (
        replace(EVIDENCE, marks=(LayerMark("first", 0.0, 0.36),)),
        BY_HEAD | {"encoder pruned, rounded or clipped, where something is off": min(SURPRISE, 1)},
    ),
    "layers as trained": (replace(EVIDENCE, marks=(LayerMark("first", 0.2, 0.35),)), BY_HEAD),
    "an input in grey": (
        replace(EVIDENCE, preparation=Preparation(0.0, 1.0)),
        BY_HEAD | {"an input that loses something, where something is off": min(SURPRISE, 1)},
    ),
    "an input in grey of a sound model": (replace(SOUND, preparation=Preparation(0.0, 1.0)), {}),
    "an input in grey, which a plain preparation helps": (
        replace(EVIDENCE, preparation=Preparation(0.0, 1.0), mendings=(PLAIN,)),
        BY_HEAD | {"an input that loses something, where something is off": min(SURPRISE, 1)},
    ),
    "an input in grey, as in training: a plain preparation does not help": (
        replace(EVIDENCE, preparation=Preparation(0.0, 1.0), mendings=(replace(PLAIN, exchange=Exchange(3, 3, 100)),)),
        BY_HEAD,
    ),
    "embeddings that move with their company": (
        replace(SOUND, unsteady=0.021),
        {"embeddings that are not steady": 1.0},
    ),
    "embeddings that are steady": (replace(SOUND, unsteady=0.019), {}),
    "an input as usual": (replace(EVIDENCE, preparation=Preparation(1.0, 1.0)), BY_HEAD),
    "an input that mends": (
        replace(SOUND, mendings=(Mending("BGR", "feed RGB", Exchange(40, 0, 400), 1e-6, 0.8),)),
        {"an input that mends": 1.0},
    ),
    "a loss against the reported accuracy": (
        # 0.1 less 1.64 standard errors of 0.8 on 400 images is lost, of which a corrected head restores 25 images.
        replace(EVIDENCE, reported=0.9),
        BY_HEAD
        | {
            "accuracy lost against the reported one": log((0.1 - 1.64 * sqrt(0.16 / 400)) / 0.01),
            "the same, restored by a corrected head": (25 / 400) / 0.1,
        },
    ),
    "a loss that alone says that something is off": (
        replace(SOUND, reported=0.9, head=replace(SOUND_HEAD, zeros=1.0)),
        {
            "accuracy lost against the reported one": log((0.1 - 1.64 * sqrt(0.16 / 400)) / 0.01),
            "head pruned or rounded, where something is off": 1.0,
        },
    ),
    "no loss beyond its error": (replace(SOUND, reported=0.83), {"nothing lost against the reported accuracy": 1.0}),
    "more than was reported": (replace(SOUND, reported=0.7), {"nothing lost against the reported accuracy": 1.0}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_number_is_worked_out_by_hand(case: str) -> None:
    evidence, expected = CASES[case]
    assert expected.keys() <= set(FEATURES)
    assert dict(zip(FEATURES, features(evidence), strict=True)) == pytest.approx(
        {name: expected.get(name, 0.0) for name in FEATURES}
    )


def test_nothing_is_restored_where_nothing_was_lost() -> None:
    assert [replace(EVIDENCE, reported=reported).restored for reported in (None, 0.7, 0.81)] == [0.0, 0.0, 0.0]
    assert replace(EVIDENCE, reported=0.9).restored == pytest.approx(25 / 40)


def test_an_input_that_mends_is_not_named_while_the_names_are_in_another_order() -> None:
    named = Mending("BGR", "feed RGB", Exchange(40, 0, 400), 1e-6, 0.8)
    weak = replace(named, p_value=0.5)
    assert replace(SOUND, mendings=(weak, named)).mending is named
    other = ClassOrder(((0, 1), (1, 0)), 0.5, 0.8)
    assert replace(SOUND, mendings=(named,), order=other).mending is None

"""All that is known of a model in one record, and as the numbers that are weighed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conspect.analysis.class_order import ClassOrder
from conspect.analysis.diagnosis.exchange import Exchange
from conspect.analysis.diagnosis.head import HeadEvidence
from conspect.analysis.diagnosis.labels import LabelJudgement
from conspect.analysis.diagnosis.mendings import PLAINLY, Mending
from conspect.analysis.diagnosis.preparation import Preparation
from conspect.core.protocols import LayerDeparture, LayerMark
from conspect.core.spaces import Float64

# Below these, sound networks differ among themselves: there is no telling them apart.
LEAST_SHIFT, LEAST_SHAPE = 0.08, 0.2
# Means of sound networks' norms move less than the first; and no norm of theirs is further from its record than all before it (or
# than the second), by more than the third's exponential: heavy augmentation, and images known by heart, move them by and by.
LEAST_MOVED, LEAST_APART, SOUND_STEP = 0.15, 0.05, 0.7
# No norm is held to be further off than this.
FURTHEST = 1e6
# Norms are at their records below this logarithm of how far beyond these they are.
AT_RECORD = 0.3
# Norms that were estimated again on these very images are closer to their records than training leaves them.
REESTIMATED = 0.03
# Norms that were estimated again on other images of this kind are this close to what they see; those of networks trained with
# augmentation never are, those of others may be: which of the two it is, nothing tells. Few images depart by chance, so that
# norms below the second are measured on more.
TOO_CLOSE, MAYBE_CLOSE = 0.06, 0.12
# A head with more exact zeros than this is pruned, one with fewer different weights in a row is rounded.
PRUNED, ROUNDED = 0.05, 0.7
# A layer of the encoder with more exact zeros than the first is pruned, one whose 16 commonest values make up more of it than
# the second is rounded to few bits.
LAYER_PRUNED, LAYER_ROUNDED = 0.2, 0.35
# Images that a gain is judged on: with more of them the least difference becomes a sure one, though sound networks have it too.
JUDGED_ON = 1000
# In an encoder that moved, one row of the head that stands out from the third by this factor's logarithm speaks for both.
ROW_STANDS_OUT = 0.6
# A loss against the reported accuracy below the first is none; so many standard errors are taken off it.
LEAST_LOSS, LOSS_ERRORS = 0.01, 1.64
LARGEST_SURPRISE, LEAST_SURPRISE, LEAST_SHARE = 8.0, 0.1, 0.015
# Embeddings of which more than this share lies exactly at the largest or smallest value of its dimension are clipped.
LEAST_CLIPPED = 0.02
# An embedding that moves by more than this of the deviation over images, with what stands beside the image, is not steady.
LEAST_UNSTEADY = 0.02
# Class names fit in another order when the order alone gives this part of what another head gains.
LEAST_ORDER = 0.7
FEATURES = (
    "surprise at what a corrected head fixes",
    "surprise at what other biases alone fix",
    "part of what a corrected head fixes that other biases fix",
    "surprise at what a head without biases fixes",
    "surprise at a corrected head, with norms at their records",
    "the same, with norms off their records",
    "shift of the third class, without records",
    "shift of the worst class beyond it",
    "misfit of the third class",
    "misfit of the worst class beyond it",
    "head pruned or rounded, where something is off",
    "encoder pruned, rounded or clipped, where something is off",
    "norms at their records",
    "departure of the norms, where a corrected head helps",
    "an input that mends",
    "an input that loses something, where something is off",
    "embeddings that are not steady",
    "labels that look wrong",
    "nothing lost against the reported accuracy",
    "accuracy lost against the reported one",
    "the same, restored by a corrected head",
)


@dataclass(frozen=True, eq=False)
class ModelEvidence:
    """Evidence of each kind; empty or None where a model cannot give it.

    `order` compares the labels with the model's outputs, `order_by_vlm` with what the VLM's texts say. `departures`: of norms on
    training images, in call order; `test_departures`: on test images of the same classes. `divided`: a head was found, so that
    it can be told from the encoder. `marks`: of the encoder's layers. `unsteady`: how far an image's embedding lies from its
    embedding in other company, in deviations over images. `clipped`: share of the embeddings' values that lie at a bound.
    `closeness`: the largest departure on more training images, where the first were close. `reported`: the accuracy that the
    model is said to have had, 0..1. `not_finite`: images that the model gives NaN or infinity for.
    """

    head: HeadEvidence
    order: ClassOrder
    order_by_vlm: ClassOrder
    labels: LabelJudgement | None = None
    mendings: tuple[Mending, ...] = ()
    departures: tuple[LayerDeparture, ...] = ()
    test_departures: tuple[LayerDeparture, ...] = ()
    divided: bool = True
    marks: tuple[LayerMark, ...] = ()
    unsteady: float = 0.0
    clipped: float = 0.0
    closeness: float | None = None
    preparation: Preparation | None = None
    reported: float | None = None
    not_finite: int = 0

    @property
    def mending(self) -> Mending | None:
        """The most gainful change of the input that shows a broken input."""
        return next((repair for repair in self.mendings if self.shows_input(repair)), None)

    def shows_input(self, mending: Mending) -> bool:
        """Whether a change of the input is one to name; none is while the class names are in another order.

        What is wrong with the input a change of it mends better than another head does: a change that mends less for sure makes
        up for something else, as more contrast does for weights of the head that are too small. So does one that gives the first
        layers what they never saw in training, where the input as it is does not.
        """
        helps = mending.is_named and not mending.off_record
        return helps and not self.other_order and mending.most_gain >= self.head.corrected.net

    @property
    def other_order(self) -> bool:
        """Whether another order of the class names explains what is wrong, as far as another head could mend it."""
        gain = self.order.assigned_accuracy - self.order.accuracy
        return self.order.looks_wrong and gain >= LEAST_ORDER * self.head.refitted.net

    @property
    def names_wrong(self) -> bool:
        """Whether it is the names that are in another order: two that are exchanged while VLM and labels agree are as well two
        exchanged rows of the head."""
        return self.other_order and (len(self.order.moved) != 2 or self.order_by_vlm.looks_wrong)

    @property
    def label_share(self) -> float:
        """Share of the labels that is expected to be wrong."""
        return (
            0.0 if self.labels is None or not len(self.labels.wrong) else self.labels.expected / len(self.labels.wrong)
        )

    @property
    def departure(self) -> float | None:
        """The largest of the norms; None without a record."""
        return max((layer.value for layer in self.departures), default=None)

    @property
    def departed(self) -> float:
        """How far norms depart from their records beyond what those of sound networks do, as a logarithm, 0..3."""
        return max(_departed(self.departures), default=0.0)

    @property
    def beginning(self) -> LayerDeparture | None:
        """The first norm that departs from its record; None where none does."""
        beyond = zip(self.departures, _departed(self.departures), strict=True)
        return next((departure for departure, value in beyond if value >= AT_RECORD), None)

    @property
    def begins_at_input(self) -> bool:
        """Whether it is the first norm of all that departs: the input may be other than in training, or the layers before it."""
        return self.beginning is not None and self.beginning is self.departures[0]

    @property
    def reestimated(self) -> bool:
        """Whether the norms' records fit these images better than training leaves them: then they say nothing."""
        return self.departure is not None and self.departure < REESTIMATED

    @property
    def closest(self) -> float | None:
        """How closely the norms fit the images, measured on as many as there are; None without a record."""
        return self.departure if self.closeness is None else self.closeness

    @property
    def too_close(self) -> bool:
        """Whether the norms fit these images as closely as if they had been estimated again: that they do clears nothing."""
        return self.closest is not None and self.closest < TOO_CLOSE

    @property
    def head_pruned(self) -> bool:
        """Whether a head was found, and more of its weights are exactly 0 than training leaves."""
        return self.divided and self.head.zeros > PRUNED

    @property
    def head_rounded(self) -> bool:
        """Whether a head was found whose weights are few different numbers."""
        return self.divided and self.head.distinct < ROUNDED

    @property
    def row_stands_out(self) -> bool:
        """Whether norms depart from their records, and one row of the head is further off than an encoder's fault puts rows."""
        shape = np.sort(self.head.shape)[::-1]
        worst, third = _log(float(shape[0]), LEAST_SHAPE), _log(float(shape[min(2, len(shape) - 1)]), LEAST_SHAPE)
        return self.beginning is not None and worst - third >= ROW_STANDS_OUT

    @property
    def marked(self) -> LayerMark | None:
        """The first layer of the encoder that is pruned or rounded; None where none is."""
        return next((mark for mark in self.marks if mark.zeros > LAYER_PRUNED or mark.repeated > LAYER_ROUNDED), None)

    @property
    def is_clipped(self) -> bool:
        """Whether many values of embeddings are the same bound."""
        return self.clipped > LEAST_CLIPPED

    @property
    def is_unsteady(self) -> bool:
        """Whether the same image gets another embedding beside other images."""
        return self.unsteady > LEAST_UNSTEADY

    @property
    def loses_input(self) -> bool:
        """Whether the preparation loses something, and a plain one, where it was tried, makes the model no worse."""
        plainly = next((mending for mending in self.mendings if mending.name == PLAINLY), None)
        helps = plainly is None or plainly.exchange.net > 0
        return helps and self.preparation is not None and bool(self.preparation.lost)

    @property
    def lost(self) -> float:
        """Accuracy lost against the reported one, less its error; 0 where none is reported."""
        if self.reported is None:
            return 0.0
        accuracy, images = self.head.accuracy, max(self.head.corrected.images, 1)
        error = np.sqrt(max(accuracy * (1 - accuracy), 1 / images) / images)
        return max(0.0, self.reported - accuracy - LOSS_ERRORS * float(error))

    @property
    def unharmed(self) -> bool:
        """Whether it is known that nothing was lost against the reported accuracy."""
        return self.reported is not None and self.lost <= LEAST_LOSS

    @property
    def restored(self) -> float:
        """Share of what was lost against the reported accuracy that a corrected head restores, 0..1; 0 where nothing was."""
        if self.reported is None or self.lost < LEAST_LOSS:
            return 0.0
        return float(np.clip(self.head.corrected.net / (self.reported - self.head.accuracy), 0, 1))


def is_off_record(departure: LayerDeparture) -> bool:
    """Whether a network's first norm is further from its record than those of sound networks are."""
    return _departed((departure,))[0] >= AT_RECORD


def features(evidence: ModelEvidence) -> Float64:
    """`[feature]` in the order of `FEATURES`. Third classes stand for what befalls all of them, worst ones for single rows."""
    head = evidence.head
    shape, shift = (np.sort(moved)[::-1] for moved in (head.shape, head.shift))
    third = min(2, len(shape) - 1)
    # Norms that were estimated again tell no more than none.
    recorded = bool(evidence.departures) and not evidence.reestimated
    shifts = [_log(float(shift[k]), LEAST_SHIFT) for k in (0, third)]
    shapes = [_log(float(shape[k]), LEAST_SHAPE) for k in (0, third)]
    judged = min(1.0, head.corrected.images / JUDGED_ON)
    surprise, by_biases = (_surprise(exchange) for exchange in (head.corrected, head.biases))
    departed = evidence.departed if recorded else 0.0
    at_record = recorded and evidence.beginning is None
    lost = _log(evidence.lost, LEAST_LOSS)
    off = min(1.0, max(surprise, departed, 0.0 if recorded else shifts[1], lost))
    return np.array(
        [
            surprise,
            by_biases,
            min(surprise, 1.0) * min(by_biases / max(surprise, LEAST_SURPRISE), 1.0),
            _surprise(head.unbiased),
            surprise if at_record else 0.0,
            surprise if recorded and not at_record else 0.0,
            0.0 if recorded else shifts[1],
            shifts[0] - shifts[1],
            shapes[1],
            shapes[0] - shapes[1],
            off * float(evidence.head_pruned or evidence.head_rounded),
            off * float(evidence.marked is not None or evidence.is_clipped),
            float(at_record),
            departed * min(surprise, 1.0),
            float(evidence.mending is not None),
            off * float(evidence.loses_input),
            float(evidence.is_unsteady),
            # Of few images the share is as uncertain as the errors of judges that are often wrong make it.
            np.sqrt(judged) * _log(evidence.label_share, LEAST_SHARE),
            float(evidence.unharmed),
            lost,
            min(lost, 1.0) * evidence.restored,
        ]
    )


def _surprise(exchange: Exchange) -> float:
    """At what is fixed against what is broken, as on at most `JUDGED_ON` images: 0..2."""
    fewer = np.sqrt(min(1.0, JUDGED_ON / max(exchange.images, 1)))
    return float(np.clip(fewer * exchange.surprise, 0, LARGEST_SURPRISE)) / 4


def _departed(departures: Sequence[LayerDeparture]) -> list[float]:
    """Of each norm: by how much its means moved, or it is further from its record than all before it, beyond what is sound."""
    beyond, before = [], LEAST_MOVED
    for place, departure in enumerate(departures):
        step = _log(departure.value, before) - SOUND_STEP
        beyond.append(max(_log(departure.moved, LEAST_MOVED), step, 0.0))
        value = min(departure.value, FURTHEST) if np.isfinite(departure.value) else FURTHEST
        before = max(LEAST_APART, value, before if place else 0.0)
    return beyond


def _log(value: float, least: float) -> float:
    """Logarithm of how many times the least a value is, 0 for less, 3 at most and for what is not finite."""
    return float(np.clip(np.log(max(value, least) / least), 0, 3)) if np.isfinite(value) else 3.0

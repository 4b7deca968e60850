"""Encoder or head, for every misclassified image: two oracles, and the swap test against a sound version of the model.

The oracles answer whether anything is broken or not. The paper's: zero-shot classification, by the VLM's text directions, of
r_map(encoder(x)) (paper B, "fault localization"). The refitted one, without a VLM: a head fitted by cross-validation on the
same embeddings. What is broken, and what a failure is put down to, is answered in `analysis.diagnosis`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64
from conspect.statistics.intervals import wilson

# A probability of less than this for either part decides nothing.
LEAST_CONFIDENCE = 0.6


class Culprit(StrEnum):
    """Who is to blame for a misclassification."""

    HEAD = "head"
    ENCODER = "encoder"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Localization:
    """The verdicts on one misclassified image. `row` is its place in the data set; labels are class indices."""

    row: int
    label: int
    output: int
    by_vlm: Culprit
    by_refitted_head: Culprit


def localize(
    labels: NDArray[np.int64],
    outputs: NDArray[np.int64],
    *,
    vlm_on_image: NDArray[np.int64],
    vlm_on_mapped: NDArray[np.int64],
    refitted: NDArray[np.int64],
) -> list[Localization]:
    """Verdicts for every image with `outputs != labels`; all arrays `[image]` of class indices.

    By the VLM: undecided when it is itself wrong on the image (`vlm_on_image`); else head when it finds the true class in
    r_map(encoder(x)) (`vlm_on_mapped`): the representation was good; else encoder. By the refitted head (`refitted`,
    predictions for images it was not fitted on): head when it finds the true class, else encoder.
    """
    localizations = []
    for row in np.flatnonzero(outputs != labels):
        if vlm_on_image[row] != labels[row]:
            by_vlm = Culprit.UNDECIDED
        else:
            by_vlm = Culprit.HEAD if vlm_on_mapped[row] == labels[row] else Culprit.ENCODER
        by_refitted = Culprit.HEAD if refitted[row] == labels[row] else Culprit.ENCODER
        localizations.append(Localization(int(row), int(labels[row]), int(outputs[row]), by_vlm, by_refitted))
    return localizations


@dataclass(frozen=True, slots=True)
class Blame:
    """A verdict with its probability. `head`: that the head is to blame, 0..1 (None: nothing can be said)."""

    culprit: Culprit
    head: float | None

    @property
    def confidence(self) -> float | None:
        """The probability of the likelier part, 0.5..1."""
        return None if self.head is None else max(self.head, 1 - self.head)


def blame_of(head: float | None, *, least: float = LEAST_CONFIDENCE) -> Blame:
    """The verdict for a probability that the head is to blame; undecided when neither part reaches `least`."""
    if head is None or max(head, 1 - head) < least:
        return Blame(Culprit.UNDECIDED, head)
    return Blame(Culprit.HEAD if head > 0.5 else Culprit.ENCODER, head)


def swap_test(
    labels: NDArray[np.int64],
    *,
    sound: Float64,
    other_head: Float64,
    other_encoder: Float64,
    other: Float64,
) -> list[Blame]:
    """Which part of a model costs an image its class, against a sound version of the same model: one `Blame` per image.

    Logits `[image, class]`, each at its own best temperature, of the four models that two heads and two encoders make: all
    sound; the failing model's head on the sound embedding; the sound head on the failing model's embedding; the failing
    model. What the log-probability of the true class loses from the first to the last is divided between head and encoder by
    their Shapley values (the mean over both orders of exchanging them); the head's probability is its part of the losses.
    Undecided, with None, where the sound model is wrong too or neither part costs anything. Exact when one part alone was
    changed. The two encoders must share a space: a model trained anew has no such relation to the old one.
    """
    truth, four = (np.arange(len(labels)), labels), (sound, other_head, other_encoder, other)
    scores = [(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))[truth] for logits in four]
    none, head, encoder, both = scores
    by_head = ((none - head) + (encoder - both)) / 2
    by_encoder = ((none - encoder) + (head - both)) / 2
    lost = np.maximum(by_head, 0), np.maximum(by_encoder, 0)
    whole = lost[0] + lost[1]
    known = (sound.argmax(1) == labels) & (whole > 0)
    return [blame_of(float(lost[0][row] / whole[row]) if known[row] else None) for row in range(len(labels))]


@dataclass(frozen=True, slots=True)
class PartLosses:
    """Accuracy that a model loses against a sound version, 0..1 (less than 0: gained), divided between its parts.

    `head`, `encoder`: their Shapley values, which add up to the whole loss; `alone_head`, `alone_encoder`: what each loses
    when it alone is exchanged.
    """

    head: float
    encoder: float
    alone_head: float
    alone_encoder: float


def part_losses(sound: float, other_head: float, other_encoder: float, other: float) -> PartLosses:
    """From the accuracies of the four models that two heads and two encoders make, named as in `swap_test`."""
    return PartLosses(
        head=((sound - other_head) + (other_encoder - other)) / 2,
        encoder=((sound - other_encoder) + (other_head - other)) / 2,
        alone_head=sound - other_head,
        alone_encoder=sound - other_encoder,
    )


@dataclass(frozen=True)
class LocalizationSummary:
    """Counts of verdicts, their cross table, and how far the two oracles agree where both decide."""

    failures: int
    by_vlm: dict[str, int]
    by_refitted_head: dict[str, int]
    cross_table: dict[str, dict[str, int]]
    oracle_agreement: float | None
    oracle_agreement_interval: tuple[float, float] | None
    kappa: float | None


def count_verdicts(
    labels: NDArray[np.int64],
    outputs: NDArray[np.int64],
    *,
    vlm_on_image: NDArray[np.int64],
    vlm_on_mapped: NDArray[np.int64],
    refitted: NDArray[np.int64],
) -> NDArray[np.int64]:
    """How often `localize` gives each pair of verdicts, `[by VLM, by refitted head]` int64; adds up over shards.

    Rows: head, encoder, undecided; columns: head, encoder.
    """
    wrong = outputs != labels
    by_vlm = np.where(vlm_on_image != labels, 2, np.where(vlm_on_mapped == labels, 0, 1))
    table = np.zeros((3, 2), dtype=np.int64)
    np.add.at(table, (by_vlm[wrong], (refitted != labels)[wrong].astype(np.int64)), 1)
    return table


def summarise(verdicts: list[Localization], confidence: float = 0.95) -> LocalizationSummary:
    """`summary_of` the verdicts on single images."""
    table = np.zeros((3, 2), dtype=np.int64)
    order = list(Culprit)
    for verdict in verdicts:
        table[order.index(verdict.by_vlm), order.index(verdict.by_refitted_head)] += 1
    return summary_of(table, confidence)


def undivided(failures: int) -> LocalizationSummary:
    """Of a model whose head and encoder cannot be told apart: every failure undecided by the lens, no other head asked."""
    names = [culprit.value for culprit in Culprit]
    return LocalizationSummary(
        failures=failures,
        by_vlm=dict.fromkeys(names, 0) | {Culprit.UNDECIDED.value: failures},
        by_refitted_head=dict.fromkeys(names[:2], 0),
        cross_table={name: dict.fromkeys(names[:2], 0) for name in names},
        oracle_agreement=None,
        oracle_agreement_interval=None,
        kappa=None,
    )


def summary_of(verdicts: NDArray[np.int64], confidence: float = 0.95) -> LocalizationSummary:
    """Counts, agreement with its Wilson interval, and Cohen's kappa (1960); None where nothing was decided.

    `verdicts [by VLM, by refitted head]` as `count_verdicts` gives them.
    """
    table = verdicts.tolist()
    decided, same = sum(table[0]) + sum(table[1]), table[0][0] + table[1][1]
    agreement = interval = kappa = None
    if decided:
        agreement = same / decided
        low, high = wilson(same, decided, confidence)
        interval = (float(low), float(high))
        head_1 = sum(table[0]) / decided
        head_2 = (table[0][0] + table[1][0]) / decided
        chance = head_1 * head_2 + (1 - head_1) * (1 - head_2)
        kappa = (agreement - chance) / (1 - chance) if chance < 1 else None
    names = [culprit.value for culprit in Culprit]
    return LocalizationSummary(
        failures=sum(map(sum, table)),
        by_vlm={name: sum(row) for name, row in zip(names, table, strict=True)},
        by_refitted_head={name: sum(row[k] for row in table) for k, name in enumerate(names[:2])},
        cross_table={name: dict(zip(names[:2], row, strict=True)) for name, row in zip(names, table, strict=True)},
        oracle_agreement=agreement,
        oracle_agreement_interval=interval,
        kappa=kappa,
    )

"""Fault localization: is the encoder or the head to blame for a misclassified image?

Two oracles are asked and never merged. The paper's: zero-shot classification, by the VLM's text directions, of
r_map(encoder(x)) (paper B, "fault localization"). The refitted one, without a VLM: a head fitted by cross-validation on
the same embeddings.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from conspect.statistics.intervals import wilson


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
    found = []
    for row in np.flatnonzero(outputs != labels):
        if vlm_on_image[row] != labels[row]:
            by_vlm = Culprit.UNDECIDED
        else:
            by_vlm = Culprit.HEAD if vlm_on_mapped[row] == labels[row] else Culprit.ENCODER
        by_refitted = Culprit.HEAD if refitted[row] == labels[row] else Culprit.ENCODER
        found.append(Localization(int(row), int(labels[row]), int(outputs[row]), by_vlm, by_refitted))
    return found


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


def summarise(found: list[Localization], confidence: float = 0.95) -> LocalizationSummary:
    """Counts, agreement with its Wilson interval, and Cohen's kappa (1960); None where nothing was decided."""
    table = Counter((one.by_vlm, one.by_refitted_head) for one in found)
    decided = [one for one in found if one.by_vlm is not Culprit.UNDECIDED]
    same = sum(one.by_vlm == one.by_refitted_head for one in decided)
    agreement = interval = kappa = None
    if decided:
        agreement = same / len(decided)
        low, high = wilson(same, len(decided), confidence)
        interval = (float(low), float(high))
        head_1 = sum(one.by_vlm is Culprit.HEAD for one in decided) / len(decided)
        head_2 = sum(one.by_refitted_head is Culprit.HEAD for one in decided) / len(decided)
        chance = head_1 * head_2 + (1 - head_1) * (1 - head_2)
        kappa = (agreement - chance) / (1 - chance) if chance < 1 else None
    by_vlm = Counter(one.by_vlm for one in found)
    by_refitted = Counter(one.by_refitted_head for one in found)
    return LocalizationSummary(
        failures=len(found),
        by_vlm={c.value: by_vlm[c] for c in Culprit},
        by_refitted_head={c.value: by_refitted[c] for c in (Culprit.HEAD, Culprit.ENCODER)},
        cross_table={a.value: {b.value: table[a, b] for b in (Culprit.HEAD, Culprit.ENCODER)} for a in Culprit},
        oracle_agreement=agreement,
        oracle_agreement_interval=interval,
        kappa=kappa,
    )

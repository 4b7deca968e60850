"""A failure in a sentence that a person would say: what of the output it shows, and what of its own class it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from conspect.core.concepts import ClassAttributes
from conspect.core.spaces import Floats

# An image stands out when this share of its class shows the concept less (or more). So many concepts are named, of each class
# its most telling one first.
STANDS_OUT, NAMED = 0.8, 3
# Fewer right images say nothing about what is usual; of fewer than a hundred the number is said, not a percentage.
LEAST_USUAL, PERCENT_FROM = 10, 100
# Without a table of attributes a concept belongs to a class whose images show it more than others do, this often.
BELONGS_AUROC = 0.8


class Side(Enum):
    """Whose concept a reason names: the label's, which the image lacks, or the output's, which it shows."""

    LABEL = "label"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Reason:
    """A concept that belongs to one of the two classes. `share`: of the label's images that were classified rightly, those
    which show it less (`Side.OUTPUT`) or more (`Side.LABEL`) than this image does, strictly; 0.5 is usual. `images`: how many
    they are. `twins`: other concepts that would do as well and cannot be told from it.
    """

    concept: int
    side: Side
    share: float
    images: int
    twins: tuple[int, ...] = ()


def belonging_by_table(table: ClassAttributes) -> NDArray[np.bool_]:
    """`[class, concept]`: at least half of the class's images carry the concept."""
    return table.relevant


def belonging_by_strength(strengths: Floats, labels: NDArray[np.int64], classes: int) -> NDArray[np.bool_]:
    """`[class, concept]`: an image of the class is stronger than one of another class with probability `BELONGS_AUROC`.

    `strengths [image, concept]`: the VLM's own, for studies without a table of attributes.
    """
    belongs = np.zeros((classes, strengths.shape[1]), dtype=bool)
    # Each concept is ranked once for all classes: AUROC is the rank sum of a class's images, less its least possible value,
    # over the number of pairs (Mann and Whitney 1947); images of equal strength share their mean rank.
    ranks = rankdata(np.asarray(strengths, dtype=np.float64), axis=0)
    for index in range(classes):
        mine = labels == index
        own, others = int(mine.sum()), int((~mine).sum())
        if own and others:
            wins = ranks[mine].sum(axis=0) - own * (own + 1) / 2
            belongs[index] = wins / (own * others) >= BELONGS_AUROC
    return belongs


def contrast(
    strengths: Floats,
    usual: Floats,
    belongs: NDArray[np.bool_],
    believed: NDArray[np.bool_],
    told_apart: NDArray[np.int64],
    *,
    label: int,
    output: int,
) -> list[Reason]:
    """Reasons of one failure, the most telling first: at most `NAMED`, none where nothing stands out.

    `strengths [concept]` of the image and `usual [image, concept]` of the label's images that the model gets right, both read
    off the model; of fewer than `LEAST_USUAL` nothing is said. Only concepts that are `believed [concept]` and belong to exactly
    one of the two classes are considered; of those of one identifiability group, `told_apart [concept]`, one speaks for all.
    """
    if len(usual) < LEAST_USUAL:
        return []
    best: list[Reason] = []
    further: list[Reason] = []
    for side, mine, other in ((Side.OUTPUT, output, label), (Side.LABEL, label, output)):
        candidates = np.flatnonzero(believed & belongs[mine] & ~belongs[other])
        beyond = usual[:, candidates] < strengths[candidates]
        if side is Side.LABEL:
            beyond = usual[:, candidates] > strengths[candidates]
        shares = beyond.mean(axis=0)
        order = [int(k) for k in np.argsort(-shares, kind="stable") if shares[k] >= STANDS_OUT]
        groups: dict[int, list[int]] = {}
        for k in order:
            groups.setdefault(int(told_apart[candidates[k]]), []).append(k)
        # The share is true of each of a group's concepts.
        named = [
            Reason(
                int(candidates[first]),
                side,
                float(shares[[first, *twins]].min()),
                len(usual),
                tuple(int(candidates[k]) for k in twins),
            )
            for first, *twins in groups.values()
        ]
        named.sort(key=lambda reason: -reason.share)
        best, further = best + named[:1], further + named[1:]
    further.sort(key=lambda reason: -reason.share)
    return sorted((best + further)[:NAMED], key=lambda reason: -reason.share)


def sentence(
    reasons: Sequence[Reason],
    concepts: Sequence[str],
    label: str,
    output: str,
    *,
    failed: bool = True,
    median_of: int = 1,
) -> str:
    """The reasons in words. Shares are rounded down, so that none claims more than was counted.

    `median_of`: so many images have these reasons in the median.

    `failed`: the label is `label`; otherwise the image is what the output says, and `label` is the class that comes second.
    """
    what = f"{label} taken for {output}" if failed else f"{output}, not {label}"
    if median_of > 1:
        what += f", the median of {median_of:,} images"
    if not reasons:
        return f"{what}: no concept that is seen and belongs to one of the two stands out"
    shown = [reason for reason in reasons if reason.side is Side.OUTPUT]
    lacking = [reason for reason in reasons if reason.side is Side.LABEL]
    parts = [
        f"{' or '.join(_quoted(concepts[k]) for k in (reason.concept, *reason.twins))} {word} than "
        f"{_compared(reason, None if number else label)}"
        for number, (reason, word) in enumerate([*((r, "more") for r in shown), *((r, "less") for r in lacking)])
    ]
    listed = ", and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    return f"{what}: shows {listed}"


def unusual_unknown(label: str, output: str, images: int, *, failed: bool = True) -> str:
    """What is said instead of reasons where so few `images` of the label are classified right."""
    what = f"{label} taken for {output}" if failed else f"{output}, not {label}"
    return f"{what}: too few {label} images ({images:,}) are classified right to say what is usual of them"


def _quoted(concept: str) -> str:
    """Quoted, since a concept may be an adjective: shows “wet” more than."""
    return f"“{concept.replace('-', ' ')}”"


def _compared(reason: Reason, label: str | None) -> str:
    """The images that the share is of: named for the first reason (`label`), "them" for the others."""
    many, number = reason.images >= PERCENT_FROM, int(np.floor(reason.images * reason.share + 1e-9))
    share = f"{int(np.floor(100 * reason.share + 1e-9))} %" if many else f"{number:,}"
    if label is None:
        return "any of them" if number == reason.images else f"{share} of them"
    if number == reason.images:
        whose = "any" if many else f"any of the {reason.images:,}"
        return f"{whose} rightly classified {label} {'image' if many else 'images'} does"
    return f"{share} of {'' if many else f'the {reason.images:,} '}rightly classified {label} images do"

"""A failure in a sentence that a person would say: what of the output it shows, and what of its own class it lacks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from conspect.core.spaces import Float64, Floats

# An image stands out when this share of its class shows the concept less (or more). So many concepts are named, of each class
# its most telling one first.
STANDS_OUT, NAMED = 0.8, 3
# Fewer right images say nothing about what is usual; of fewer than a hundred the number is said, not a percentage.
LEAST_USUAL, PERCENT_FROM = 10, 100
# A concept is one class's and not the other's when this share of its images carry it, and of the other's at most so many
# times that share.
CARRIED, OTHERS_SHARE = 0.5, 0.5
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


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The concepts that failures are explained in.

    `carried [class, concept]`: the share of a class's images that carry the concept, 0..1, by the table of attributes; without
    one, 1 where the concept belongs to the class (`belonging_by_strength`) and 0 elsewhere. `believed [concept]`: not graded
    `not seen`. `doubted [concept]`: graded `partly`; such concepts speak only where none that is seen does. `group [concept]`:
    number of the identifiability group.
    """

    carried: Float64
    believed: NDArray[np.bool_]
    doubted: NDArray[np.bool_]
    group: NDArray[np.int64]

    def of_one(self, mine: int, other: int) -> NDArray[np.int64]:
        """The believed concepts that class `mine` carries and class `other` carries at most half as often."""
        carried, others = self.carried[mine], self.carried[other]
        return np.flatnonzero(self.believed & (carried >= CARRIED) & (others <= OTHERS_SHARE * carried))


def contrast(strengths: Floats, usual: Floats, vocabulary: Vocabulary, *, label: int, output: int) -> list[Reason]:
    """Reasons of one failure, the most telling first: at most `NAMED`, none where nothing stands out.

    `strengths [concept]` of the image and `usual [image, concept]` of the label's images that the model gets right, both read
    off the model; of fewer than `LEAST_USUAL` nothing is said. The concepts of one group are one reason, and stand out where
    each of them does.
    """
    if len(usual) < LEAST_USUAL:
        return []
    of_side = {
        side: _by_group(
            {int(k): float((beyond(usual[:, k], strengths[k])).mean()) for k in vocabulary.of_one(mine, other)},
            vocabulary.group,
            side,
            len(usual),
        )
        for side, mine, other, beyond in (
            (Side.OUTPUT, output, label, np.less),
            (Side.LABEL, label, output, np.greater),
        )
    }
    sure = {
        side: [reason for reason in reasons if not vocabulary.doubted[[reason.concept, *reason.twins]].any()]
        for side, reasons in of_side.items()
    }
    speaking = sure if any(sure.values()) else of_side
    best = [reason for reasons in speaking.values() for reason in reasons[:1]]
    further = [reason for reasons in speaking.values() for reason in reasons[1:]]
    further.sort(key=lambda reason: -reason.share)
    # Of two concepts of a group that go against each other one says it all.
    once = {int(vocabulary.group[reason.concept]): reason for reason in reversed(sorted(best, key=_share) + further)}
    return sorted(list(reversed(once.values()))[:NAMED], key=_share)


def _share(reason: Reason) -> float:
    return -reason.share


def _by_group(shares: dict[int, float], group: NDArray[np.int64], side: Side, images: int) -> list[Reason]:
    """One reason for each group all of whose concepts in `shares` stand out, the most telling first; a share true of each."""
    groups: dict[int, list[int]] = {}
    for concept in sorted(shares, key=lambda k: -shares[k]):
        groups.setdefault(int(group[concept]), []).append(concept)
    reasons = [
        Reason(first, side, min(shares[k] for k in (first, *twins)), images, tuple(twins))
        for first, *twins in groups.values()
    ]
    return sorted((reason for reason in reasons if reason.share >= STANDS_OUT), key=lambda reason: -reason.share)


@dataclass(frozen=True, slots=True)
class Contrasted:
    """What is explained: an image of class `label` that is taken for `output`, or (not `failed`) one that is classified right as
    `output`, where `label` comes second. `median_of`: the strengths are medians of so many images.
    """

    label: str
    output: str
    failed: bool = True
    median_of: int = 1

    def __str__(self) -> str:
        what = f"{self.label} taken for {self.output}" if self.failed else f"{self.output}, not {self.label}"
        return what if self.median_of == 1 else f"{what}, the median of {self.median_of:,} images"


def sentence(
    reasons: Sequence[Reason],
    concepts: Sequence[str],
    what: Contrasted,
    in_part: Collection[int] = (),
) -> str:
    """The reasons, of which there are some, in words. Shares are rounded down, so that none claims more than was counted.

    `in_part`: the concepts of which it is said that they are seen only in part.
    """
    shown = [reason for reason in reasons if reason.side is Side.OUTPUT]
    lacking = [reason for reason in reasons if reason.side is Side.LABEL]
    parts = [
        f"{' or '.join(_quoted(concepts[k]) for k in (reason.concept, *reason.twins))} {word} than "
        f"{_compared(reason, None if number else what.label)}"
        for number, (reason, word) in enumerate([*((r, "more") for r in shown), *((r, "less") for r in lacking)])
    ]
    listed = ", and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    named = [k for reason in reasons for k in (reason.concept, *reason.twins)]
    doubtful = [_quoted(concepts[k]) for k in named if k in in_part]
    partly = ""
    if len(doubtful) == len(named):
        partly = f" ({({1: '', 2: 'both '}).get(len(named), 'all ')}seen only in part)"
    elif doubtful:
        partly = f" ({' and '.join(doubtful)} {'is' if len(doubtful) == 1 else 'are'} seen only in part)"
    return f"{what}: shows {listed}{partly}"


def nothing_stands_out(what: Contrasted, *, believed: int, of_one: int) -> str:
    """What is said instead of reasons where there are none. `believed`: how many concepts of the study are; `of_one`: how many
    of them belong to one of the two classes and not to the other.
    """
    if not believed:
        return f"{what}: no concept of the study is seen, so none can say why"
    if not of_one:
        return f"{what}: no concept that is seen belongs to one of the two and not to the other"
    if of_one == 1:
        return f"{what}: the only concept that is seen and belongs to one of the two does not stand out"
    return f"{what}: none of the {of_one:,} concepts that are seen and belong to one of the two stands out"


def unusual_unknown(what: Contrasted, images: int) -> str:
    """What is said instead of reasons where so few `images` of the label are classified right."""
    if not images:
        return f"{what}: no {what.label} image is classified right, so that what is usual of them is not known"
    right = f"only {images:,} {what.label} {'image is' if images == 1 else 'images are'} classified right"
    return f"{what}: {right}, too few to say what is usual of them"


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

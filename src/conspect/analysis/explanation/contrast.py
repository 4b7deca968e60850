"""A failure in a sentence that a person would say: what of the output it shows, and what of its own class it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

import numpy as np
from numpy.typing import NDArray

from conspect.core.concept_words import quoted
from conspect.core.spaces import Float64, Floats
from conspect.statistics.ranks import class_areas

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


class Standing(IntEnum):
    """How far a concept is known to be seen, the best first. Concepts of a worse standing speak only where no better one does."""

    SEEN = 0
    # The only doubt is which concept of its group was meant; a sentence names them all.
    IN_GROUP = 1
    IN_PART = 2
    # Neither a table nor labels say which images should show it; it behaves unlike words without meaning, and no more is known.
    UNCHECKED = 3
    SILENT = 4


@dataclass(frozen=True, slots=True)
class Unit:
    """The concepts of one group, which are one reason or none. `concept`: the first; `twins`: others that rise and fall with it,
    so that none can be told from another; `opposites`: those that fall where it rises. `side`: whose the first is.
    """

    concept: int
    side: Side
    twins: tuple[int, ...] = ()
    opposites: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """A concept that belongs to one of the two classes. `share`: of the label's images that were classified rightly, those
    which show it less (`Side.OUTPUT`) or more (`Side.LABEL`) than this image does, strictly; 0.5 is usual. `images`: how many
    they are. `twins`, `opposites`: see `Unit`; the share is true of each.
    """

    concept: int
    side: Side
    share: float
    images: int
    twins: tuple[int, ...] = ()
    opposites: tuple[int, ...] = ()

    @property
    def concepts(self) -> tuple[int, ...]:
        """All that it names."""
        return (self.concept, *self.twins, *self.opposites)


def belonging_by_strength(strengths: Floats, labels: NDArray[np.int64], classes: int) -> NDArray[np.bool_]:
    """`[class, concept]`: an image of the class is stronger than one of another class with probability `BELONGS_AUROC`.

    `strengths [image, concept]`: the VLM's own, for studies without a table of attributes.
    """
    return np.asarray(class_areas(strengths, labels, classes) >= BELONGS_AUROC)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The concepts that failures are explained in.

    `carried [class, concept]`: the share of a class's images that carry the concept, 0..1, by the table of attributes; without
    one, 1 where the concept belongs to the class (`belonging_by_strength`) and 0 elsewhere. `standing [concept]`: of `Standing`.
    `group [concept]`: number of the identifiability group. `sign [concept]`: 1, or -1 for those that fall where the first of
    their group rises.
    """

    carried: Float64
    standing: NDArray[np.int64]
    group: NDArray[np.int64]
    sign: NDArray[np.int64]

    @property
    def shows(self) -> NDArray[np.bool_]:
        """`[class, concept]`: so many images of the class carry the concept that it is the class's own."""
        return np.asarray(self.carried >= CARRIED, dtype=bool)

    def of_one(self, mine: int, other: int) -> NDArray[np.bool_]:
        """`[concept]`: class `mine` carries it, and class `other` at most half as often."""
        carried, others = self.carried[mine], self.carried[other]
        return np.asarray(self.shows[mine] & (others <= OTHERS_SHARE * carried), dtype=bool)

    def members(self, concept: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The concepts of its group that may speak: those that rise and fall with it, itself among them, and their opposites."""
        group = np.flatnonzero((self.group == self.group[concept]) & (self.standing != Standing.SILENT))
        same = self.sign[group] == self.sign[concept]
        return tuple(group[same].tolist()), tuple(group[~same].tolist())

    def firsts(self) -> list[int]:
        """The first concept that may speak of each group."""
        return [
            k
            for k in range(len(self.group))
            if self.standing[k] != Standing.SILENT and k == min(sum(self.members(k), ()))
        ]

    def units(self, label: int, output: int) -> list[Unit]:
        """The groups that belong to one of the two classes: each concept to the one, or, falling where it rises, to the other."""
        of_side = {Side.OUTPUT: self.of_one(output, label), Side.LABEL: self.of_one(label, output)}
        units = []
        for first in self.firsts():
            same, opposites = self.members(first)
            for side, other in ((Side.OUTPUT, Side.LABEL), (Side.LABEL, Side.OUTPUT)):
                if of_side[side][list(same)].all() and of_side[other][list(opposites)].all():
                    units.append(Unit(first, side, same[1:], opposites))
        return units

    def stands(self, concepts: Sequence[int]) -> Standing:
        """The worst standing among them."""
        return Standing(max(int(self.standing[k]) for k in concepts))


def contrast(strengths: Floats, usual: Floats, vocabulary: Vocabulary, *, label: int, output: int) -> list[Reason]:
    """Reasons of one failure, the most telling first: at most `NAMED`, none where nothing stands out.

    `strengths [concept]` of the image and `usual [image, concept]` of the label's images that the model gets right, both read
    off the model; of fewer than `LEAST_USUAL` nothing is said. The concepts of one group are one reason, and stand out where
    each of them does. Where reasons of a better standing stand out, those of a worse one are not heard.
    """
    if len(usual) < LEAST_USUAL:
        return []
    reasons = [_reason(unit, strengths, usual) for unit in vocabulary.units(label, output)]
    reasons = sorted((reason for reason in reasons if reason.share >= STANDS_OUT), key=_share)
    if not reasons:
        return []
    standing = [vocabulary.stands(reason.concepts) for reason in reasons]
    reasons = [reason for reason, stands in zip(reasons, standing, strict=True) if stands == min(standing)]
    best = [next((r for r in reasons if r.side is side), None) for side in (Side.OUTPUT, Side.LABEL)]
    first = [reason for reason in best if reason is not None]
    further = [reason for reason in reasons if reason not in first]
    return sorted([*first, *further][:NAMED], key=_share)


def _share(reason: Reason) -> float:
    return -reason.share


def _reason(unit: Unit, strengths: Floats, usual: Floats) -> Reason:
    """How far a unit stands out, by that of its concepts that does so least; the most telling concept is named first."""
    shows_more = unit.side is Side.OUTPUT

    def share(concept: int, more: bool) -> float:
        column = usual[:, concept]
        return float(((column < strengths[concept]) if more else (column > strengths[concept])).mean())

    same = {k: share(k, shows_more) for k in (unit.concept, *unit.twins)}
    opposites = {k: share(k, not shows_more) for k in unit.opposites}
    first, *twins = sorted(same, key=lambda k: -same[k])
    least = min(*same.values(), *opposites.values(), 1.0)
    return Reason(first, unit.side, least, len(usual), tuple(twins), unit.opposites)


@dataclass(frozen=True, slots=True)
class ContrastCase:
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
    reasons: Sequence[Reason], concepts: Sequence[str], what: ContrastCase, standing: NDArray[np.int64]
) -> str:
    """The reasons, of which there are some, in words. Shares are rounded down, so that none claims more than was counted.

    `standing [concept]`: of concepts that were not checked it is not said that the image shows them.
    """
    named = [k for reason in reasons for k in reason.concepts]
    not_checked = [quoted(concepts[k]) for k in named if standing[k] == Standing.UNCHECKED]
    unchecked = bool(not_checked)
    ordered = sorted(reasons, key=lambda reason: reason.side is Side.LABEL)
    parts = [
        _part(reason, concepts, None if number else what.label, unchecked) for number, reason in enumerate(ordered)
    ]
    listed = ", and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    if unchecked:
        which = "" if len(not_checked) == len(named) else f"{' and '.join(not_checked)} "
        return f"{what}: reads {listed} ({which}not checked by a table or labels)"
    doubtful = [quoted(concepts[k]) for k in named if standing[k] == Standing.IN_PART]
    partly = ""
    if len(doubtful) == len(named):
        partly = f" ({({1: '', 2: 'both '}).get(len(named), 'all ')}seen only in part)"
    elif doubtful:
        partly = f" ({' and '.join(doubtful)} {'is' if len(doubtful) == 1 else 'are'} seen only in part)"
    return f"{what}: shows {listed}{partly}"


def nothing_stands_out(
    what: ContrastCase, concepts: Sequence[str], vocabulary: Vocabulary, *, label: int, output: int
) -> str:
    """What is said instead of reasons where there are none; `concepts`: the names of all."""
    speaking = vocabulary.firsts()
    if not speaking:
        return f"{what}: no concept of the study is seen, so none can say why"
    units = vocabulary.units(label, output)
    if units:
        worst = max(vocabulary.stands((unit.concept, *unit.twins, *unit.opposites)) for unit in units)
    else:
        worst = min(vocabulary.stands([k]) for k in speaking)
    one, many, why = {
        Standing.IN_PART: ("that is seen, if only in part,", "that are seen, if only in part,", ""),
        Standing.UNCHECKED: ("", "", " (not checked by a table or labels)"),
    }.get(worst, ("that is seen", "that are seen", ""))
    if not units:
        said = f"no concept {one} belongs to one of the two and not to the other{why}"
        return f"{what}: " + " ".join(said.split())
    also, belong = ("and ", "and belong") if one else ("that ", "that belong")
    members = [(unit.concept, *unit.twins, *unit.opposites) for unit in units]
    names = [" or ".join(quoted(concepts[k]) for k in group) for group in members[:NAMED]]
    if len(units) == 1:
        said = f"{names[0]}, the only concept {one} {also}belongs to one of the two, does not stand out{why}"
    else:
        some = ", ".join(names) + (", ..." if len(units) > NAMED else "")
        said = f"none of the {len(units):,} concepts {many} {belong} to one of the two ({some}) stands out{why}"
    return f"{what}: " + " ".join(said.split())


def unusual_unknown(what: ContrastCase, images: int) -> str:
    """What is said instead of reasons where so few `images` of the label are classified right."""
    if not images:
        return f"{what}: no {what.label} image is classified right, so that what is usual of them is not known"
    right = f"only {images:,} {what.label} {'image is' if images == 1 else 'images are'} classified right"
    return f"{what}: {right}, too few to say what is usual of them"


def _part(reason: Reason, concepts: Sequence[str], label: str | None, unchecked: bool) -> str:
    """A reason in words; `label`: see `_than`."""
    names = " or ".join(quoted(concepts[k]) for k in (reason.concept, *reason.twins))
    others = " or ".join(quoted(concepts[k]) for k in reason.opposites)
    word, other = ("more", "less") if reason.side is Side.OUTPUT else ("less", "more")
    if unchecked:
        what = f"{word} like {names}" + (f", or {other} like {others}," if others else "")
    else:
        what = f"{names} {word}" + (f", or {others} {other}," if others else "")
    return f"{what} than {_than(reason, label)}"


def _than(reason: Reason, label: str | None) -> str:
    """The images that the share is of: named for the first reason (`label`), "them" for the others."""
    many, number = reason.images >= PERCENT_FROM, int(np.floor(reason.images * reason.share + 1e-9))
    share = f"{int(np.floor(100 * reason.share + 1e-9))} %" if many else f"{number:,}"
    if label is None:
        return "any of them" if number == reason.images else f"{share} of them"
    if number == reason.images:
        whose = "any" if many else f"any of the {reason.images:,}"
        return f"{whose} rightly classified {label} {'image' if many else 'images'} does"
    return f"{share} of {'' if many else f'the {reason.images:,} '}rightly classified {label} images do"

"""Focus regions from embeddings: estimated on one split, sized on another if need be, measured on a third."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.percentages import narrow
from conspect.core.regions import Region, Shape, conformal_size, estimate_region
from conspect.core.spaces import Float64
from conspect.language.syntax.tree import Focus
from conspect.statistics.intervals import clopper_pearson
from conspect.statistics.threads import one_thread
from conspect.verification.measures import Rate
from conspect.verification.queries.model import DEFAULT_GAMMA, EmbeddingSplit, VerificationModel, VerifyOptions
from conspect.verification.queries.numbers import require_squarable
from conspect.verification.regions.readouts import AllReadouts

RARE, LARGEST = 0.01, 1e100


def rate(successes: int, trials: int, confidence: float) -> Rate:
    """A share with its Clopper-Pearson interval."""
    low, high = clopper_pearson(successes, trials, confidence)
    return Rate(successes / trials if trials else 0.0, float(low), float(high), trials)


@dataclass(eq=False)
class FocusRegions:
    """Regions of a subject; each is estimated once, on one thread, so that its bits do not depend on how many there are."""

    subject: VerificationModel
    options: VerifyOptions
    _estimated: dict[tuple[str, Shape], Region] = field(default_factory=dict)
    _predicted: dict[str, NDArray[np.intp]] = field(default_factory=dict)
    _measured: dict[tuple[str, Shape], Float64] = field(default_factory=dict)
    _read: dict[str, AllReadouts] = field(default_factory=dict)

    def predicted(self, split: str) -> NDArray[np.intp]:
        """The class with the largest logit for each embedding of a split."""
        if split not in self._predicted:
            logits = self.subject.head.logits(self.subject.splits[split].embeddings)
            self._predicted[split] = np.asarray(logits.argmax(axis=1))
        return self._predicted[split]

    def read(self, split: str) -> AllReadouts:
        """All that formulas may read of the images of a split."""
        if split not in self._read:
            with one_thread():
                self._read[split] = AllReadouts.of(self.subject, self._split(split).embeddings)
        return self._read[split]

    def region(self, focus: Focus) -> Region:
        """The region a property speaks of. VERIFY006 without enough embeddings."""
        shape: Shape = focus.shape or self.options.shape
        region = self._estimate(focus.class_name, shape)
        size, note = self._size(focus, region)
        cut = self.subject.class_names.index(focus.class_name) if focus.cut else None
        return replace(region, size=size, cut=cut, provenance=f"{region.provenance}; {note}")

    def measure(self, focus: Focus, region: Region) -> tuple[Float64, NDArray[np.bool_]]:
        """Sizes of the class's embeddings of the measuring split `[image]`, and which of them pass the cut."""
        split = self.subject.measure_split
        members = self.members(split, focus.class_name)
        key = (focus.class_name, region.shape)
        if key not in self._measured:
            embeddings = self.subject.splits[split].embeddings[members]
            with one_thread():
                self._measured[key] = region.sizes(embeddings) if len(embeddings) else np.zeros(0)
        passed = np.ones(int(members.sum()), dtype=bool)
        if region.cut is not None:
            passed = self.predicted(split)[members] == region.cut
        return self._measured[key], passed

    def covered(self, focus: Focus, region: Region) -> tuple[int, int, str]:
        """The class's images of the measuring split inside a region, all of them, and the name of the split."""
        sizes, passed = self.measure(focus, region)
        return int(((sizes <= float(region.size)) & passed).sum()), len(sizes), self.subject.measure_split

    def members(self, split: str, class_name: str | None) -> NDArray[np.bool_]:
        """Which embeddings of a split are of a class, by true label; all for None."""
        labels = self._split(split).labels
        if class_name is None:
            return np.ones(len(labels), dtype=bool)
        return np.asarray(labels == self.subject.class_names.index(class_name))

    def _split(self, name: str) -> EmbeddingSplit:
        if name not in self.subject.splits:
            known = ", ".join(sorted(self.subject.splits))
            raise user_error("VERIFY007", f"the study has no split {name!r}", f"use one of: {known}")
        return self.subject.splits[name]

    def estimated(self, class_name: str, shape: Shape) -> Region:
        """A class's region of a shape at size 1, without cut."""
        return self._estimate(class_name, shape)

    def _estimate(self, class_name: str, shape: Shape) -> Region:
        key = (class_name, shape)
        if key not in self._estimated:
            members, note = self.estimation_rows(class_name)
            embeddings = self.subject.splits[self.subject.fit_split].embeddings[members]
            require_squarable(embeddings, f"the embeddings of class {class_name!r}")
            with one_thread():
                self._estimated[key] = estimate_region(embeddings, shape, Fraction(1), provenance=note)
        return self._estimated[key]

    def estimation_rows(self, class_name: str) -> tuple[NDArray[np.bool_], str]:
        """Which embeddings of the fit split a class's regions are estimated on, and the note that says so. VERIFY006."""
        split = self.subject.fit_split
        members = self.members(split, class_name)
        kind = "all"
        if self.options.estimate_from == "correct":
            members = members & (self.predicted(split) == self.subject.class_names.index(class_name))
            kind = "correctly classified"
        count = int(members.sum())
        if count < 2:
            raise user_error(
                "VERIFY006",
                f"the split {split!r} has {count} {kind} embeddings of class {class_name!r}; a region needs two",
                "use --estimate-from all, another split, or a class with images",
            )
        return members, f"estimated on {count} {kind} embeddings of {class_name} in split {split}"

    def _size(self, focus: Focus, region: Region) -> tuple[Fraction, str]:
        coverage = focus.coverage or (self.options.coverage if focus.gamma is None else None)
        if coverage is None:
            size = next((g for g in (focus.gamma, self.options.gamma) if g is not None), DEFAULT_GAMMA)
            if size > LARGEST:
                raise user_error(
                    "VERIFY010",
                    "a region larger than any float can say was asked for",
                    f"write a size up to {LARGEST:g}",
                )
            return size, f"size {float(size):g}"
        split = self.subject.size_split
        embeddings = self.subject.splits[split].embeddings[self.members(split, focus.class_name)]
        with one_thread():
            covering_size = conformal_size(region, embeddings, coverage) if len(embeddings) else None
        if covering_size is None:
            raise user_error(
                "VERIFY006",
                f"{len(embeddings)} embeddings of {focus.class_name!r} in split {split!r} cannot show a coverage of "
                f"{narrow(float(coverage))}",
                "ask for a lower coverage, or give a gamma",
            )
        note = (
            f"smallest size that covers {narrow(float(coverage))} by split conformal prediction on {len(embeddings)} "
        )
        return covering_size, f"{note}embeddings of split {split}: {float(covering_size):.4g}"


def rarity(coverage: Rate) -> str | None:
    """The warning that heads a verdict about a region with under 1 % of real embeddings, or None."""
    if not coverage.n or coverage.rate >= RARE:
        return None
    return (
        f"This region contains {narrow(coverage.rate, 2)} of the {coverage.n} held-out embeddings of the class "
        f"(at most {narrow(coverage.high, 2)}): the verdict says almost nothing about real images."
    )


def caveats_of(subject: VerificationModel, coverage: Rate, more: Sequence[str], focus: Focus) -> tuple[str, ...]:
    """What has to be known beside a verdict about a region; that it is all but empty comes first."""
    first = rarity(coverage)
    caveats = [first] if first else []
    caveats += more
    if subject.measure_split in (subject.fit_split, subject.size_split):
        caveats.append("coverage and satisfaction are measured on images that also shaped the region")
    if focus.cut:
        caveats.append(f"claimed only for embeddings that the head assigns to {focus.class_name}")
    return tuple(caveats)

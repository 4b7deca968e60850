"""What every analysis needs of the images, as counts and sums that add up: `a + b` merges the tallies of two shards.

Counts are integers: any division of the images into shards gives the same ones. Sums are float64, and agree to rounding.
A record's size depends on classes, concepts and dimensions, never on the number of images, so that a data set of any size
is one pass in bounded memory, on one machine or many. Source of the analyses: papers A and B; this is how they merge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import reduce
from operator import add
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.alignment import AlignmentQuality, AlignmentSums
from conspect.analysis.dominance import Counts, count, count_agreeing
from conspect.analysis.heatmaps import DifferentialHeatmap, HeatmapCounts, differential
from conspect.analysis.lens_quality import zero_shot
from conspect.analysis.localization import LocalizationSummary, count_verdicts, summary_of
from conspect.analysis.slices import satisfied_shares
from conspect.core.concepts import ClassAttributes
from conspect.core.spaces import Float64, Floats, Lens
from conspect.core.vectors import cosines

Labels = NDArray[np.int64]
Record = TypeVar("Record", "HeatmapTallies", "OracleTallies", "QualitySums", "Tallies", AlignmentSums)


def merged(parts: Iterable[Record]) -> Record:
    """The sum of one or more records, added in their order; parts are taken one at a time."""
    return reduce(add, parts)


@dataclass(frozen=True, eq=False)
class HeatmapTallies:
    """From which all heatmaps of a data set follow; arrays `[class, concept, concept]` of int64.

    `right[c]`: counts over the images of class c that the model gets right. An image that it gets wrong counts in
    `wrong_by_label` at its class and in `wrong_by_output` at the output. `confusion [label, output]`: numbers of images.
    """

    right: Counts
    wrong_by_label: Counts
    wrong_by_output: Counts
    confusion: Counts

    @classmethod
    def of(cls, strengths: Floats, labels: Labels, outputs: Labels, classes: int) -> HeatmapTallies:
        """Of images with `strengths [image, concept]` (or numerators of strengths), `labels [image]` and `outputs [image]`."""
        confusion = np.zeros((classes, classes), dtype=np.int64)
        np.add.at(confusion, (labels, outputs), 1)
        right = labels == outputs
        return cls(
            counts_by_group(strengths[right], labels[right], classes),
            counts_by_group(strengths[~right], labels[~right], classes),
            counts_by_group(strengths[~right], outputs[~right], classes),
            confusion,
        )

    def __add__(self, other: HeatmapTallies) -> HeatmapTallies:
        return HeatmapTallies(*_sums(self, other))

    def taken(self, concepts: NDArray[np.integer]) -> HeatmapTallies:
        """The tallies of the chosen concepts alone."""
        chosen = np.ix_(np.arange(len(self.right)), concepts, concepts)
        return HeatmapTallies(
            self.right[chosen], self.wrong_by_label[chosen], self.wrong_by_output[chosen], self.confusion
        )

    def ground_truth(self) -> list[HeatmapCounts]:
        """One heatmap a true class, as `heatmaps.by_group` with the labels; `heatmaps.binarized` cuts them."""
        return _heatmaps(self.right + self.wrong_by_label, self.confusion.sum(1))

    def output_label(self) -> list[HeatmapCounts]:
        """One heatmap an output, as `heatmaps.by_group` with the outputs."""
        return _heatmaps(self.right + self.wrong_by_output, self.confusion.sum(0))

    def differential_by_label(self, *, confidence: float = 0.95) -> list[DifferentialHeatmap]:
        """Of each true class: its images that the model gets right against those that it gets wrong."""
        return self._differences(self.wrong_by_label, self.confusion.sum(1), confidence)

    def differential_by_output(self, *, confidence: float = 0.95) -> list[DifferentialHeatmap]:
        """Of each output: the images where it is right against those where it is wrong."""
        return self._differences(self.wrong_by_output, self.confusion.sum(0), confidence)

    def _differences(self, wrong: Counts, images: Counts, confidence: float) -> list[DifferentialHeatmap]:
        hits = np.diag(self.confusion)
        pairs = zip(_heatmaps(self.right, hits), _heatmaps(wrong, images - hits), strict=True)
        return [differential(good, bad, confidence=confidence) for good, bad in pairs]


@dataclass(frozen=True, eq=False)
class OracleTallies:
    """How often the VLM and the lens are right, and the verdicts on the model's failures.

    Numbers of images: in all, where the VLM finds the class, where it finds it in r_map(encoder(x)), where these two say
    the same, where the refitted head finds the class. `verdicts [culprit, refitted head]`: see `count_verdicts`.
    """

    images: int
    vlm_right: int
    mapped_right: int
    agreed: int
    refitted_right: int
    verdicts: Counts

    @classmethod
    def of(
        cls, labels: Labels, outputs: Labels, *, vlm_on_image: Labels, vlm_on_mapped: Labels, refitted: Labels
    ) -> OracleTallies:
        """Of images, all arrays `[image]` of class indices; as `localization.localize` takes them."""
        return cls(
            len(labels),
            int((vlm_on_image == labels).sum()),
            int((vlm_on_mapped == labels).sum()),
            int((vlm_on_mapped == vlm_on_image).sum()),
            int((refitted == labels).sum()),
            count_verdicts(labels, outputs, vlm_on_image=vlm_on_image, vlm_on_mapped=vlm_on_mapped, refitted=refitted),
        )

    def __add__(self, other: OracleTallies) -> OracleTallies:
        return OracleTallies(*_sums(self, other))

    def localization(self, confidence: float = 0.95) -> LocalizationSummary:
        """What `localization.summarise` says of the same failures."""
        return summary_of(self.verdicts, confidence)


@dataclass(frozen=True, eq=False)
class QualitySums:
    """What the alignment keeps of the VLM's space, float64: sums over images of squared residuals, of cosines, of the VLM's
    embeddings `[E]` and of their squared lengths.
    """

    images: int
    residual: float
    cosines: float
    target: Float64
    squares: float

    @classmethod
    def of(cls, mapped: Floats, y: Floats) -> QualitySums:
        """Of `mapped [image, E]`, what the alignment makes of the model's embeddings, and the VLM's `y [image, E]`."""
        target = np.asarray(y, dtype=np.float64)
        residual = float(np.square(target - mapped).sum())
        return cls(
            len(target), residual, float(cosines(mapped, target).sum()), target.sum(0), float(np.square(target).sum())
        )

    def __add__(self, other: QualitySums) -> QualitySums:
        return QualitySums(*_sums(self, other))

    def quality(self) -> AlignmentQuality:
        """What `alignment.quality` says of the same images."""
        variation = self.squares - float(self.target @ self.target) / self.images
        r2 = 1.0 - self.residual / variation if variation > 0 else 0.0
        return AlignmentQuality(r2, self.cosines / self.images, self.images)


@dataclass(frozen=True, eq=False)
class Tallies:
    """One shard's share of every analysis. `by_vlm [class, concept, concept]`: counts by the VLM's own embeddings.

    `agreed [class, concept, concept]`: images in which lens and VLM put the two concepts in the same order; `unseen [class,
    word, word]`: counts by the VLM's own embeddings of words it was not fitted on. `strengths [class, concept]`: sums of
    strengths over the images of a class, float64.
    """

    heatmaps: HeatmapTallies
    by_vlm: Counts
    agreed: Counts
    unseen: Counts
    oracles: OracleTallies
    quality: QualitySums
    strengths: Float64

    def __add__(self, other: Tallies) -> Tallies:
        return Tallies(*_sums(self, other))

    def ground_truth_by_vlm(self) -> list[HeatmapCounts]:
        """One heatmap a true class, by the VLM's own embeddings."""
        return _heatmaps(self.by_vlm, self.heatmaps.confusion.sum(1))

    def unseen_by_vlm(self) -> list[HeatmapCounts]:
        """One heatmap a true class, of the unseen words, by the VLM's own embeddings."""
        return _heatmaps(self.unseen, self.heatmaps.confusion.sum(1))

    def mean_strengths(self) -> Float64:
        """Mean strength `[class, concept]`; NaN for a class without images."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.strengths / self.heatmaps.confusion.sum(1)[:, None])


@dataclass(frozen=True, eq=False)
class ImageAnswers:
    """What each image of a part is taken for, class indices `[image]`, and which share of its expected predicates it keeps.

    By the model, by the refitted head, by the VLM on the image and in r_map(encoder(x)). `satisfied [image]`: 0..1, NaN
    where nothing is expected.
    """

    outputs: Labels
    refitted: Labels
    vlm_on_image: Labels
    vlm_on_mapped: Labels
    satisfied: Float64

    @classmethod
    def joined(cls, parts: Sequence[ImageAnswers]) -> ImageAnswers:
        """Those of consecutive parts, one after the other."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


@dataclass(frozen=True, eq=False)
class Interpreter:
    """What turns a pair of embeddings into strengths and answers: the lens, and `classes [class, E]`, the classes' directions.

    `unseen [word, E]`: directions of words that the VLM was not fitted on. `expected`: which concept is relevant to which
    class; with it, answers say which share of the expected predicates an image keeps.
    """

    lens: Lens
    classes: Float64
    unseen: Float64 | None = None
    expected: ClassAttributes | None = None

    def tally(
        self, z: Floats, y: Floats, *, labels: Labels, outputs: Labels, refitted: Labels
    ) -> tuple[Tallies, ImageAnswers]:
        """Of images `z [image, D]`, `y [image, E]`; `labels`, `outputs` and `refitted` (a refitted head's) `[image]`."""
        number = len(self.classes)
        mapped = self.lens.alignment(z)
        numerators, vlm = self.lens.folded(z), np.asarray(y @ self.lens.directions.T, dtype=np.float64)
        words = np.zeros((len(y), 0)) if self.unseen is None else np.asarray(y @ self.unseen.T, dtype=np.float64)
        sums = np.zeros((number, len(self.lens.concept_names)))
        np.add.at(sums, labels, self.lens.cosines(mapped))
        answers = ImageAnswers(
            outputs,
            refitted,
            zero_shot(y, self.classes),
            zero_shot(mapped, self.classes),
            satisfied_shares(numerators, labels, self.expected),
        )
        tallies = Tallies(
            HeatmapTallies.of(numerators, labels, outputs, number),
            counts_by_group(vlm, labels, number),
            agreements_by_group(numerators, vlm, labels, number),
            counts_by_group(words, labels, number),
            OracleTallies.of(
                labels,
                outputs,
                vlm_on_image=answers.vlm_on_image,
                vlm_on_mapped=answers.vlm_on_mapped,
                refitted=refitted,
            ),
            QualitySums.of(mapped, y),
            sums,
        )
        return tallies, answers


def counts_by_group(strengths: Floats, groups: NDArray[np.integer], number: int) -> Counts:
    """`counts[g, i, j]`: images of group g in which concept i is stronger than j, `[group, concept, concept]` int64."""
    concepts = strengths.shape[1]
    counts = np.zeros((number, concepts, concepts), dtype=np.int64)
    for group in np.unique(groups):
        counts[group] = count(strengths[groups == group])
    return counts


def agreements_by_group(first: Floats, second: Floats, groups: NDArray[np.integer], number: int) -> Counts:
    """`counts[g, i, j]`: images of group g in which both strengths `[image, concept]` order concepts i and j alike."""
    concepts = first.shape[1]
    counts = np.zeros((number, concepts, concepts), dtype=np.int64)
    for group in np.unique(groups):
        own = groups == group
        counts[group] = count_agreeing(first[own], second[own])
    return counts


def _heatmaps(greater: Counts, images: Counts) -> list[HeatmapCounts]:
    return [HeatmapCounts(counts, int(number)) for counts, number in zip(greater, images, strict=True)]


def _sums(first: Record, second: Record) -> list[Any]:
    return [getattr(first, field.name) + getattr(second, field.name) for field in fields(first)]

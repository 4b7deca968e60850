"""What a study hands to a notebook: a heatmap and a mistake as objects that show themselves, and who draws which record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from conspect.core.notebooks import drawn_by
from conspect.results.explanations import ImageExplanation
from conspect.results.heatmaps import CountMatrix
from conspect.results.localization import Failure
from conspect.results.results import Results
from conspect.results.verification import Property
from conspect.study.proving.records import property_record
from conspect.verification.results import PropertyResult

HeatmapKind: TypeAlias = Literal["ground_truth", "ground_truth_by_vlm", "output_label"]
TITLES: dict[HeatmapKind, str] = {
    "ground_truth": "images labelled {}",
    "ground_truth_by_vlm": "images labelled {}, seen by the VLM itself",
    "output_label": "images the model calls {}",
}


@dataclass(frozen=True)
class ClassHeatmap:
    """Of one class: in how many of `counts.images` images each of `concepts` is stronger than each other."""

    title: str
    concepts: tuple[str, ...]
    counts: CountMatrix

    def _repr_html_(self) -> str:
        from conspect.report.notebook import heatmap

        return heatmap(self.title, self.concepts, self.counts)


@dataclass(frozen=True)
class PicturedFailure:
    """A mistake with its picture, a data URI."""

    failure: Failure
    picture: str | None

    def _repr_html_(self) -> str:
        from conspect.report.notebook import failure

        return failure(self.failure, self.picture)


def class_heatmap(results: Results, class_name: str, kind: HeatmapKind) -> ClassHeatmap:
    """The heatmap of a class. Raises ValueError for a name that is none of the study's classes."""
    by_class = {
        "ground_truth": results.heatmaps.ground_truth,
        "ground_truth_by_vlm": results.heatmaps.ground_truth_by_vlm,
        "output_label": results.heatmaps.output_label,
    }[kind]
    counts = by_class[results.classes.index(class_name)]
    return ClassHeatmap(TITLES[kind].format(class_name), results.heatmaps.concepts, counts)


def _results(record: Results) -> str:
    from conspect.report.notebook import summary

    return summary(record)


def _property(record: Property) -> str:
    from conspect.report.notebook import verdict

    return verdict(record)


def _result(result: PropertyResult) -> str:
    return _property(property_record(result))


def _failure(record: Failure) -> str:
    from conspect.report.notebook import failure

    return failure(record)


def _explanation(record: ImageExplanation) -> str:
    from conspect.report.notebook import explanation

    return explanation(record)


# The report is imported when something is drawn: a study in a program needs no templates.
drawn_by(Results, _results)
drawn_by(Property, _property)
drawn_by(PropertyResult, _result)
drawn_by(Failure, _failure)
drawn_by(ImageExplanation, _explanation)

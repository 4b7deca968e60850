"""Which images a question is about: conditions on label, output, diagnosis, confidence, a pair, tags and slices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.spaces import Float64
from conspect.monitor.runtime import VERDICTS
from conspect.monitor.runtime.decisions import VerdictName
from conspect.results.diagnosis import CauseName
from conspect.results.exploration import ChangedSide, ImageSet
from conspect.study.exploration.index import StudyIndex
from conspect.study.exploration.phrases import Phrases, Reading

DIAGNOSES: tuple[str, ...] = get_args(CauseName)


@dataclass(frozen=True)
class ImageFilter:
    """Conditions that all must hold; None and empty ask nothing. `pair`: "striped > metallic"; `holds`: its truth.

    `confidence`: least and most softmax of the output, in 0..1. `text`: a part of the file's name.
    `broken`: a pair that the failure lost; `monitor`: its verdict; `changed`: since the study compared with. `margin`: of the
    pair or strength of the concept, from the first and below the second number. `accepted_to`: a threshold of the monitor, in
    nats, of the images that its curve counts.
    """

    label: str | None = None
    output: str | None = None
    images: ImageSet = ImageSet.ALL
    diagnosis: str | None = None
    pair: str | None = None
    holds: bool | None = None
    confidence: tuple[float, float] = (0.0, 1.0)
    tag: str | None = None
    text: str | None = None
    slices: Mapping[str, str] = field(default_factory=dict)
    broken: str | None = None
    monitor: str | None = None
    changed: ChangedSide | None = None
    margin: tuple[float, float] | None = None
    accepted_to: float | None = None


@dataclass(frozen=True, eq=False)
class Annotations:
    """What is known of single images beside the model's output, by row of the index.

    `diagnoses`: row to kind of failure; `tags`: image id to tags; `metadata`: column to values by row; `broken`: pair
    "stronger > weaker" to the rows of failures that lost it; `verdicts [image]`: the monitor's, into VERDICTS; `changed`: row
    to side; `accepted`: which images `[image]` pass a threshold of the monitor.
    """

    diagnoses: Mapping[int, str]
    tags: Mapping[str, tuple[str, ...]]
    metadata: Mapping[str, Sequence[str | None]]
    broken: Mapping[str, frozenset[int]] = field(default_factory=dict)
    verdicts: NDArray[np.int8] | None = None
    changed: Mapping[int, ChangedSide] | None = None
    accepted: Callable[[float], NDArray[np.bool_]] | None = None


@dataclass(frozen=True, eq=False)
class Selection:
    """The rows that pass, ascending; and the margin `[image]` of all images where the filter names a pair or concept."""

    rows: NDArray[np.int64]
    margin: Float64 | None
    reading: Reading | None


def select(index: StudyIndex, phrases: Phrases, annotations: Annotations, asked: ImageFilter) -> Selection:
    """The images that pass `asked`.

    Raises UserError EXPLORE001 for a class, diagnosis, lost pair or column that the study does not have, EXPLORE002 for a
    pair that cannot be read, EXPLORE008 without a monitor, EXPLORE010 without an earlier study.
    """
    passing = np.ones(len(index), dtype=bool)
    if asked.label is not None:
        passing &= index.labels == _class(index, asked.label)
    if asked.output is not None:
        passing &= index.outputs == _class(index, asked.output)
    if asked.images is not ImageSet.ALL:
        passing &= index.wrong == (asked.images is ImageSet.WRONG)
    if asked.confidence != (0.0, 1.0):
        least, most = asked.confidence
        passing &= (index.confidence >= least) & (index.confidence <= most)
    passing &= _annotated(index, annotations, asked)
    margin, reading = None, None
    if asked.pair is not None:
        reading = phrases.read(asked.pair)
        margin = phrases.margin(index, reading)
        if asked.holds is not None:
            # A tie satisfies neither direction, as in the language.
            passing &= (margin > 0) if asked.holds else ~(margin > 0)
        if asked.margin is not None:
            passing &= (margin >= asked.margin[0]) & (margin < asked.margin[1])
    elif asked.margin is not None:
        raise user_error("EXPLORE002", "a margin of no pair", "name the concept or pair whose strength is meant")
    return Selection(np.flatnonzero(passing), margin, reading)


def _annotated(index: StudyIndex, annotations: Annotations, asked: ImageFilter) -> NDArray[np.bool_]:
    """Which images pass the conditions on what is known of them beside the model's output."""
    passing = np.ones(len(index), dtype=bool)

    def among(rows: Iterable[int]) -> NDArray[np.bool_]:
        members = np.zeros(len(index), dtype=bool)
        members[list(rows)] = True
        return members

    if asked.diagnosis is not None:
        if asked.diagnosis not in DIAGNOSES:
            raise user_error(
                "EXPLORE001", f"there is no diagnosis {asked.diagnosis[:100]!r}", f"diagnoses: {', '.join(DIAGNOSES)}"
            )
        passing &= among(row for row, diagnosis in annotations.diagnoses.items() if diagnosis == asked.diagnosis)
    if asked.tag is not None:
        tagged = [name for name, tags in annotations.tags.items() if asked.tag in tags]
        passing &= among(index.row_of[name] for name in tagged if name in index.row_of)
    if asked.broken is not None:
        passing &= among(_without(annotations, asked.broken))
    if asked.monitor is not None:
        if annotations.verdicts is None:
            raise _no_monitor()
        passing &= annotations.verdicts == VERDICTS.index(_verdict(asked.monitor))
    if asked.accepted_to is not None:
        if annotations.accepted is None:
            raise _no_monitor()
        passing &= annotations.accepted(asked.accepted_to)
    if asked.changed is not None:
        passing &= among(_changed(annotations, asked.changed))
    if asked.text:
        passing &= index.named(asked.text)
    for column, value in asked.slices.items():
        if column not in annotations.metadata:
            known = ", ".join(annotations.metadata) or "none"
            raise user_error("EXPLORE001", f"the images have no column {column[:100]!r}", f"columns: {known}")
        passing &= np.asarray([entry == value for entry in annotations.metadata[column]], dtype=bool)
    return passing


def _without(annotations: Annotations, pair: str) -> frozenset[int]:
    """The failures that lost the pair "stronger > weaker"."""
    if pair not in annotations.broken:
        fix = f"pairs: {', '.join(list(annotations.broken)[:20]) or 'none'}"
        raise user_error("EXPLORE001", f"no failure lost the pair {pair[:100]!r}", fix)
    return annotations.broken[pair]


def _changed(annotations: Annotations, side: ChangedSide) -> list[int]:
    """The images that are on that side of the comparison with the earlier study."""
    if annotations.changed is None:
        problem = "nothing is known to have changed: the explorer was opened on one study"
        raise user_error("EXPLORE010", problem, "conspect explore BEFORE AFTER")
    return [row for row, there in annotations.changed.items() if there is side]


def _no_monitor() -> Exception:
    return user_error("EXPLORE008", "the study has no monitor", "fit one: conspect monitor fit --study DIR")


def _verdict(name: str) -> VerdictName:
    for verdict in VERDICTS:
        if verdict == name:
            return verdict
    raise user_error("EXPLORE001", f"the monitor says no {name[:100]!r}", f"it says {', '.join(VERDICTS)}")


def _class(index: StudyIndex, name: str) -> int:
    try:
        return index.class_names.index(name)
    except ValueError as error:
        fix = f"classes: {', '.join(index.class_names[:20])}"
        raise user_error("EXPLORE001", f"the model has no class {name[:100]!r}", fix) from error

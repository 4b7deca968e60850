"""Usual mistakes of image pipelines, each with the changes that undo it: whether a diagnosis names a mistake as what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from conspect.analysis.diagnosis.weighing import ModelDiagnosis, Suspect
from conspect.faults.planting.pipelines import PIPELINES, Picture, Pipeline, Prepared
from conspect.study.diagnosing.feeding import LEVELS, OWN, RANGES

# Any of these puts a wrong scale right, or nearly so: they differ by less than what a network notices.
SCALES = frozenset({*RANGES, OWN, "values over 255", "values times 255", *(level[0] for level in LEVELS)})
BLACK, WHITE, SIDE = 0, 255, 32


@dataclass(frozen=True, eq=False)
class BrokenInput:
    """A pipeline, the names of the changes that mend it, and a word of what is said where it loses something."""

    pipeline: Pipeline
    mended_by: frozenset[str] = frozenset()
    lost: str | None = None

    def is_named(self, diagnosis: ModelDiagnosis) -> bool:
        """Whether the input pipeline is named, for the right reason."""
        evidence = diagnosis.evidence
        if diagnosis.suspect is not Suspect.INPUT:
            return False
        if evidence.mending is not None and evidence.mending.name in self.mended_by:
            return True
        clauses = () if evidence.preparation is None else evidence.preparation.lost
        return self.lost is not None and any(self.lost in clause for clause in clauses)


def _turned(quarters: int) -> Callable[[Picture], Picture]:
    return lambda picture: np.ascontiguousarray(np.rot90(picture, quarters))


def _channels_grb(picture: Picture) -> Picture:
    return np.ascontiguousarray(picture[..., [1, 0, 2]])


def _blurred(picture: Picture) -> Picture:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(picture.shape[0] / 20)))


def _ycbcr(picture: Picture) -> Picture:
    return np.asarray(Image.fromarray(picture).convert("YCbCr"))


def _linear_light(picture: Picture) -> Picture:
    return np.rint(255 * (picture / 255.0) ** 2.2).astype(np.uint8)


def _too_bright(picture: Picture) -> Picture:
    return np.rint(255 * (picture / 255.0) ** (1 / 2.2)).astype(np.uint8)


def _pictures() -> Iterator[BrokenInput]:
    """What befalls pictures before they are scaled."""
    known = {pipeline.name: pipeline for pipeline in (*PIPELINES, Pipeline("channels GRB", picture=_channels_grb))}
    for name, mended_by, lost in (
        ("BGR", {"channels in the order BGR"}, None),
        ("channels GBR", {"channels in the order BRG"}, None),
        ("channels GRB", {"channels in the order GRB"}, None),
        ("upside down", {"upside down", "turned by 180 degrees"}, "upside down"),
        (
            "height and width exchanged",
            {"height and width exchanged", "turned to the left", "turned to the right"},
            "height and width exchanged",
        ),
        ("inverted", {"inverted"}, "light and dark are exchanged"),
        ("a crop forgotten", {"the middle 80 %", "the middle 65 %"}, "of the size that it takes"),
    ):
        yield BrokenInput(known[name], frozenset(mended_by), lost)
    zoomed = frozenset({"more around it, 80 %", "more around it, 65 %"})
    yield BrokenInput(known["the middle alone"], zoomed, "the border of the images")
    yield BrokenInput(known["in grey"], lost="colours")
    yield BrokenInput(known["resized by way of half the size"], lost="fine detail")
    yield BrokenInput(Pipeline("blurred", picture=_blurred), lost="fine detail")
    upright = frozenset({"turned by 180 degrees", "upside down"})
    yield BrokenInput(Pipeline("turned by 180 degrees", picture=_turned(2)), upright, "turned by 180 degrees")
    sideways = {"turned to the left", "turned to the right", "height and width exchanged"}
    yield BrokenInput(Pipeline("turned to the left", picture=_turned(1)), frozenset(sideways), "turned by 90 degrees")
    yield BrokenInput(Pipeline("YCbCr", picture=_ycbcr), frozenset({"YCbCr read as RGB"}), "colours are mixed")
    bent = "light and dark do not reach the model evenly"
    yield BrokenInput(Pipeline("in linear light", picture=_linear_light), frozenset({"brighter"}), bent)
    yield BrokenInput(Pipeline("too bright", picture=_too_bright), frozenset({"darker"}), bent)


def _scales(slope: NDArray[np.float32], offset: NDArray[np.float32]) -> Iterator[BrokenInput]:
    """What is made of raw values 0..255 in place of slope * value + offset, `[channel, 1, 1]` both."""

    def scaled(name: str, change: Callable[[Prepared], NDArray[np.floating]]) -> BrokenInput:
        def later(prepared: Prepared) -> Prepared:
            return np.asarray(change((prepared - offset) / slope), dtype=np.float32)

        return BrokenInput(Pipeline(name, later=later), SCALES)

    mean, deviation = (np.array(RANGES["ImageNet's means and deviations"][k]).reshape(-1, 1, 1) for k in (0, 1))
    yield scaled("no mean", lambda x: slope * x)
    yield scaled("no deviation", lambda x: x + offset / slope)
    yield scaled("values from 0 to 1", lambda x: x / 255)
    yield scaled("values from 0 to 255", lambda x: x)
    yield scaled("values from -1 to 1", lambda x: x / 127.5 - 1)
    yield scaled("divided by 255 twice", lambda x: slope * x / 255 + offset)
    yield scaled("means in the unit of 0 to 1", lambda x: slope * x + offset / 255)
    yield scaled("means and deviations of ImageNet on values from 0 to 1", lambda x: (x / 255 - mean) / deviation)
    yield scaled("mean added", lambda x: slope * x - offset)


def broken_inputs(prepare: Callable[[Picture], Prepared]) -> Iterator[BrokenInput]:
    """All of them, for a network whose own preparation is `prepare`, which scales each channel by itself."""
    yield from _pictures()
    black, white = (prepare(np.full((SIDE, SIDE, 3), value, dtype=np.uint8)).mean((1, 2)) for value in (BLACK, WHITE))
    slope, offset = ((white - black) / WHITE).reshape(-1, 1, 1), black.reshape(-1, 1, 1)
    yield from _scales(slope.astype(np.float32), offset.astype(np.float32))

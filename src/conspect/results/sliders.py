"""An image's embedding moved along concepts: what the model, the monitor and the real images say to the moved one."""

from __future__ import annotations

import msgspec

from conspect.results.exploration import ImageRow, MonitorOpinion


class ConceptSlider(msgspec.Struct, frozen=True):
    """One concept that can be moved; shifts are standard deviations over the test images, 0 is the image as it is.

    `low`, `high`: shifts at which the strength is that of the 1st and the 99th percentile of real images. `flips_below`,
    `flips_above`: the nearest shifts of this concept alone at which the output changes, given the other sliders; None: not
    within the range. `strength`: cosine at the moved embedding.
    """

    concept: str
    grade: str | None
    strength: float
    shift: float
    low: float
    high: float
    flips_below: float | None
    flips_above: float | None


class SliderPage(msgspec.Struct, frozen=True):
    """The moved embedding. `distance`: to the nearest real embedding over the usual one between real ones; 1 is where
    images lie. `extent`: the share of real images that lie farther from all others than this point does.
    """

    image: ImageRow
    output: str
    output_before: str
    probabilities: tuple[float, ...]
    probabilities_before: tuple[float, ...]
    distance: float
    extent: float
    monitor: MonitorOpinion | None
    sliders: tuple[ConceptSlider, ...]
    left_out: tuple[str, ...]

"""Two studies side by side in the explorer: the comparison, images that changed sides, and heatmaps with their difference."""

from __future__ import annotations

import msgspec

from conspect.results.comparison import Comparison, Pairing
from conspect.results.exploration import ImageRow


class ChangedRow(msgspec.Struct, frozen=True):
    """An image whose output was right in one study and is wrong in the other. `before`, `after`: the two outputs."""

    image: ImageRow
    before: str
    after: str


class ChangedImages(msgspec.Struct, frozen=True):
    """A range of the images that changed sides: `fixed` and `broken` count all of them that pass."""

    fixed: int
    broken: int
    offset: int
    images: tuple[ChangedRow, ...]


class HeatmapDifference(msgspec.Struct, frozen=True):
    """Heatmaps of one class in both studies: counts `[concept][concept]`, and a p-value for each cell.

    `pairing`: image by image (exact McNemar test), or as two samples (Fisher's exact test); where only some cells of the class
    are paired, "independent". Corrected by Holm over `tested` cells: all pairs in all classes. `significant [pair]`: places of
    the two concepts, the smaller first, of cells whose change is beyond chance at the study's confidence.
    """

    class_name: str
    concepts: tuple[str, ...]
    before: tuple[tuple[int, ...], ...]
    after: tuple[tuple[int, ...], ...]
    images_before: int
    images_after: int
    pairing: Pairing
    p_values: tuple[tuple[float, ...], ...]
    tested: int
    significant: tuple[tuple[int, int], ...]
    changed_by_class: dict[str, int]


class ComparedStudies(msgspec.Struct, frozen=True):
    """The comparison as `conspect compare --json` prints it; `can_swap`: why the parts cannot be exchanged, None: they can."""

    comparison: Comparison
    classes: tuple[str, ...]
    cannot_swap: str | None

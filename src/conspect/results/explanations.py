"""What `conspect explain --json` prints."""

from __future__ import annotations

from msgspec import Struct

from conspect.core.notebooks import drawing_of
from conspect.results.localization import Explanation
from conspect.results.shares import Count, Fraction


class MinimalSets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sets of concepts: `abductive` ones alone keep the output, erasing a `contrastive` one changes it; none can be smaller.

    `complete`: there are no others; otherwise enough were found, the time was up, or it is not known, because erasing more may
    bring the output back. `concepts`: how many could take part.
    """

    abductive: tuple[tuple[str, ...], ...]
    contrastive: tuple[tuple[str, ...], ...]
    complete: bool
    concepts: Count

    @property
    def needs_none(self) -> bool:
        """The output stays with all concepts erased: the empty set is abductive."""
        return () in self.abductive


class Shift(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By how many standard deviations over the test images a concept's strength moves; positive = stronger."""

    concept: str
    deviations: float


class Counterfactual(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The smallest change of a few strengths, all of them listed, after which the head says `restored`. `distance`: from the
    changed embedding to that of the nearest other image, over the median between images; about 1 is where images lie.
    """

    restored: str
    shifts: tuple[Shift, ...]
    distance: float


class ConceptMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A concept's strength split over the positions of the image, row by row; their mean is what is compared."""

    concept: str
    values: tuple[tuple[float, ...], ...]


class ConceptMaps(Struct, frozen=True, forbid_unknown_fields=True):
    """Where on one image concepts are; `left_out`: why there is no map, where there is none."""

    maps: tuple[ConceptMap, ...]
    left_out: str


class ImageExplanation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One image explained. `explanation` and `counterfactual` are of the contrast with `against`: the label of a failure, else
    the class that comes second. `left_out`: what could not be said of this model, and why.
    """

    id: str
    label: str
    output: str
    against: str
    confidence: Fraction
    explanation: Explanation
    sets: MinimalSets | None
    counterfactual: Counterfactual | None
    maps: tuple[ConceptMap, ...]
    left_out: tuple[str, ...]

    def _repr_html_(self) -> str | None:
        return drawing_of(self)


class BehaviourExplanation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model does on many images at once: those of class `label` whose output is `output`, at most so many of them.

    A set is one of `sets` when it does to at least (more than, for contrastive sets) `share` of the images what a set of an
    image does to it. `explanation`: of the median strengths; null for right images and where nothing can be said.
    """

    label: str
    output: str
    images: Count
    taken: Count
    share: Fraction
    explanation: Explanation | None
    sets: MinimalSets | None
    left_out: tuple[str, ...]


class ImageExplanations(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Images, and behaviours, in the order in which they were asked for."""

    images: tuple[ImageExplanation, ...]
    behaviours: tuple[BehaviourExplanation, ...] = ()

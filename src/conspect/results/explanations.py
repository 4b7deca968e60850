"""What `conspect explain --json` prints."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from conspect.core.concept_words import quoted
from conspect.core.notebooks import drawing_of
from conspect.results.localization import Explanation
from conspect.results.shares import Count, Fraction


class SetMember(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A concept of a set. `twins`: concepts that rise and fall with it, so that no method can say which of them was meant;
    `opposites`: those that fall where it rises. `by`: whether the image shows it more than the mean image does ("presence"), so
    that erasing takes it away, or less ("lack"), so that erasing adds it; "either" of images that differ in this. `seen`: by
    their grades, all together as one; "not checked" where neither a table nor labels say which images should show it.
    """

    concept: str
    twins: tuple[str, ...] = ()
    opposites: tuple[str, ...] = ()
    by: Literal["presence", "lack", "either"]
    seen: Literal["seen", "in part", "not checked"]

    @property
    def words(self) -> str:
        """As in: lack of “ears” or “hairy”."""
        names = " or ".join(map(quoted, (self.concept, *self.twins)))
        others = " or ".join(map(quoted, self.opposites))
        if self.by == "lack":
            return f"lack of {names}" + (f" (or {others})" if others else "")
        return names + (f" (or lack of {others})" if others else "")


class FoundSets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Minimal sets of one kind, smallest first: those that are listed, and how many are `known`, these among them.

    `all_up_to`: every set of at most so many concepts was tried, so that all of that size are among the known.
    """

    sets: tuple[tuple[SetMember, ...], ...]
    known: Count
    all_up_to: Count


class MinimalSets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sets of concepts: `abductive` ones alone keep the output, erasing a `contrastive` one changes it; none can be smaller.

    `complete`: no others exist than the known; otherwise enough were found, the time was up, or it is not known, because
    erasing more may bring the output back. `concepts`: how many could take part, concepts that cannot be told apart as one.
    """

    abductive: FoundSets
    contrastive: FoundSets
    complete: bool
    concepts: Count

    @property
    def needs_none(self) -> bool:
        """The output stays with all concepts erased: the empty set is abductive."""
        return () in self.abductive.sets


class Shift(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By how many standard deviations over the test images a concept moves, measured before strengths are divided by the length
    of the embedding; positive = stronger. `twins`, `opposites`: see `SetMember`.
    """

    concept: str
    twins: tuple[str, ...] = ()
    opposites: tuple[str, ...] = ()
    deviations: float

    @property
    def words(self) -> str:
        """The names of the concepts that may have been meant."""
        names = " or ".join(map(quoted, (self.concept, *self.twins)))
        return names + (f" (or, the other way, {' or '.join(map(quoted, self.opposites))})" if self.opposites else "")


class Counterfactual(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The smallest change of a few concepts, all of them listed, after which the head says `restored`. It does when each is
    rounded to `decimals`, as they are here; no other concept that takes part moves by the same measure.

    `of_the_two`: all are concepts of one of the two classes, the label's rise and the output's fall; false where those would have
    to move more than twice as far, or cannot restore it. `cosines_move`: by how many standard deviations the cosine of a concept
    that is not listed changes, at most, because the embedding's length does. `distance`: from the changed embedding to that of
    the nearest other image, over the median between images; about 1 is where images lie. `on_the_border`: hardly anything has to
    change, so that the image lies between the two classes.
    """

    restored: str
    shifts: tuple[Shift, ...]
    decimals: Count
    of_the_two: bool
    cosines_move: float
    distance: float
    on_the_border: bool


class ConceptMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A concept's strength split over the positions of the image, row by row; their mean is what is compared. `usual`: the median
    of that mean over the rightly classified images that the image is compared with; null where it is compared with none.
    """

    concept: str
    values: tuple[tuple[float, ...], ...]
    usual: float | None = None

    @property
    def lacking(self) -> bool:
        """The image as a whole shows the concept less than is usual: no position is where it is."""
        numbers = [value for row in self.values for value in row]
        return self.usual is not None and sum(numbers) < self.usual * len(numbers)


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
    image does to it. `explanation`: of the median strengths, against `against`: the label, or, for right images, the class that
    comes second most often.
    """

    label: str
    output: str
    against: str
    images: Count
    taken: Count
    share: Fraction
    explanation: Explanation
    sets: MinimalSets | None
    left_out: tuple[str, ...]


class ImageExplanations(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Images, and behaviours, in the order in which they were asked for."""

    images: tuple[ImageExplanation, ...]
    behaviours: tuple[BehaviourExplanation, ...] = ()

"""One property looked at closely: what breaks it, the real images that do, and how far a proof of it reaches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.spaces import Float64
from conspect.core.verdicts import Outcome
from conspect.language import check_text
from conspect.language.syntax.tree import (
    Focus,
    ForAll,
    ForImage,
    ForImageNear,
    ForShare,
    ForShareNear,
    Item,
    Module,
    Property,
    Specification,
)
from conspect.language.writing.printer import write
from conspect.results import witnesses as records
from conspect.results.exploration import ImageRow, Neighbour
from conspect.results.results import Results
from conspect.study.exploration.filters import Annotations
from conspect.study.exploration.index import StudyIndex
from conspect.study.exploration.lists import image_row
from conspect.study.exploration.reality import Reality
from conspect.study.proving.properties import without_embedding
from conspect.study.proving.records import property_record
from conspect.study.study import Study
from conspect.verification.queries.model import READOUT_SHAPES, VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, plan
from conspect.verification.queries.vocabulary import vocabulary_of
from conspect.verification.regions.readout_verdicts import ROOM
from conspect.verification.results import PropertyResult
from conspect.verification.verify import Verification

STEPS, SHOWN_BREAKING, SHOWN_NEAREST = 120, 60, 6
# Further than so many times as far from images as these from one another, no picture is likely to look like an embedding.
UNLIKE_PICTURES = 1.5
# A witness is looked for at a size that somebody drags to; the search for the largest proved size takes longer.
LARGEST_SIZE = Fraction(1000)
FILE = "the specification"


@dataclass(frozen=True, eq=False)
class _Sizes:
    """Held-out images that a property speaks of: their rows in the split, and the size at which each is inside."""

    split: str
    rows: NDArray[np.int64]
    sizes: Float64 | None


class Witnesses:
    """Properties of the study's own specifications or of any text, one at a time. Regions are estimated once."""

    def __init__(self, study: Study, results: Results, index: StudyIndex, reality: Reality) -> None:
        self._study, self._results, self._index, self._reality = study, results, index, reality
        self._lock = Lock()
        self._verification: Verification | None = None
        self._own: dict[str, Specification] | None = None

    def listed(self, *, verdict: Outcome | None, text: str | None, offset: int, limit: int) -> records.PropertyList:
        """The properties of the last run: those with a verdict, and with `text` in name or statement."""
        verification = self._results.verification
        every = () if verification is None else verification.properties
        wanted = (text or "").casefold()
        passing = [
            entry
            for entry in every
            if (verdict is None or entry.verdict == verdict)
            and (not wanted or wanted in entry.id.casefold() or wanted in entry.statement.casefold())
        ]
        return records.PropertyList(
            total=len(passing),
            offset=offset,
            properties=tuple(
                records.PropertyEntry(
                    entry.id,
                    entry.file,
                    entry.statement,
                    entry.verdict,
                    entry.class_name,
                    entry.gamma_max,
                    entry.coverage,
                    None if entry.satisfaction is None else entry.satisfaction.rate,
                )
                for entry in passing[offset : offset + limit]
            ),
            counts=dict(Counter(entry.verdict for entry in every)),
        )

    def page(self, annotations: Annotations, *, text: str, name: str | None, size: float | None) -> records.WitnessPage:
        """The property called `name` (None: the first) of `text`, or of the study's own files where `text` is empty.

        `size`: of the region instead of the one that the property says. Raises UserError with every mistake of the text,
        EXPLORE001 for a property that is not there, EXPLORE002 for a size that cannot be one.
        """
        with self._lock:
            verification = self._opened()
            tree, names, chosen = self._chosen(text, name, verification.subject)
            written = write(_alone(tree, chosen))
            if size is not None:
                tree = _resized(tree, chosen, size)
            job = next(job for job in plan(tree, verification.subject, FILE) if job.name == chosen)
            result = verification.run([job])[0]
            spoken = _spoken_of(verification, job, result)
            truth = verification.describer.truth(job.formula, spoken.split)[spoken.rows]
            return self._page(annotations, job, result, spoken, truth, text=written, names=names)

    def _page(
        self,
        annotations: Annotations,
        job: Obligation,
        result: PropertyResult,
        spoken: _Sizes,
        truth: NDArray[np.bool_],
        *,
        text: str,
        names: tuple[str, ...],
    ) -> records.WitnessPage:
        verification = self._opened()
        split = verification.subject.splits[spoken.split]
        bracket = result.gamma_max
        record = property_record(result)
        witness = result.witness
        profile: tuple[records.ProfileEntry, ...] = ()
        nearest: tuple[tuple[Neighbour, float], ...] = ()
        off_axis, witness_image = None, None
        if witness is not None:
            record = without_embedding(record)
            profile = _profile(verification.subject, spoken, witness.profile)
            own = None if witness.image_id is None else self._index.row_of.get(witness.image_id)
            nearest = self._reality.nearest(witness.embedding, SHOWN_NEAREST, without=own)
            off_axis = self._reality.relative(self._reality.distance(witness.embedding, without=own))
            witness_image = self._row(annotations, witness.image_id or witness.around)
        false = np.flatnonzero(~truth)
        # The images that break it soonest first: those deepest inside the region, else those that break it most.
        order = false if spoken.sizes is None else false[np.argsort(spoken.sizes[false], kind="stable")]
        breaking = []
        for place in order[:SHOWN_BREAKING]:
            row = int(spoken.rows[place])
            shown = self._row(annotations, split.ids[row])
            if shown is not None:
                at = np.asarray(split.embeddings[row], dtype=np.float64)
                size = None if spoken.sizes is None else float(spoken.sizes[place])
                breaking.append(records.BreakingImage(shown, size, verification.describer.margin(job.formula, at)))
        return records.WitnessPage(
            property=record,
            text=text,
            names=names,
            size=None if result.region is None else float(result.region.size),
            proved_to=None if bracket is None else bracket.low,
            broken_from=None if bracket is None else bracket.high,
            searched=None if bracket is None else bracket.searched,
            members=len(truth),
            satisfied=int(truth.sum()),
            steps=_steps(spoken.sizes, truth, result),
            breaking=tuple(breaking),
            witness_image=witness_image,
            profile=profile,
            nearest=tuple(near for near, _ in nearest),
            distances=tuple(round(distance, 5) for _, distance in nearest),
            off_axis=off_axis,
            unlike_pictures=off_axis is not None and off_axis > UNLIKE_PICTURES,
        )

    def _row(self, annotations: Annotations, name: str | None) -> ImageRow | None:
        row = None if name is None else self._index.row_of.get(name)
        return None if row is None else image_row(self._index, annotations, row, None)

    def _opened(self) -> Verification:
        if self._verification is None:
            self._verification = Verification(self._study.verification_subject(), VerifyOptions())
        return self._verification

    def _chosen(
        self, text: str, name: str | None, subject: VerificationModel
    ) -> tuple[Specification, tuple[str, ...], str]:
        """The tree that has the property, the names of all properties beside it, and the one that is meant."""
        trees = (
            [check_text(text.encode(), vocabulary_of(subject), FILE).require()] if text.strip() else self._own_trees()
        )
        names = [_names(tree, subject) for tree in trees]
        for tree, own in zip(trees, names, strict=True):
            if own and (name is None or name in own):
                return tree, own, name or own[0]
        known = [entry for own in names for entry in own]
        fix = f"properties: {', '.join(known[:10])}{', …' if len(known) > 10 else ''}" if known else "write a property"
        raise user_error("EXPLORE001", f"there is no property {(name or '')[:100]!r}", fix)

    def _own_trees(self) -> Sequence[Specification]:
        if self._own is None:
            subject = self._opened().subject
            files = self._study.config.properties.files
            contents = {file: (self._study.folder / file).read_bytes() for file in files}
            self._own = {
                file: check_text(content, vocabulary_of(subject), file).require() for file, content in contents.items()
            }
        return tuple(self._own.values())


def _names(tree: Specification, subject: VerificationModel) -> tuple[str, ...]:
    return tuple(job.name for job in plan(tree, subject, FILE))


def _alone(tree: Specification, name: str) -> Specification:
    """The property `name` of `tree` alone, ready to be edited: its names are those of the study, and need no declaration."""
    kept: list[Item] = []
    for item in tree.items:
        if isinstance(item, Property):
            if item.name == name:
                kept.append(item)
        elif isinstance(item, Module):
            inner = tuple(entry for entry in item.properties if f"{item.name}.{entry.name}" == name)
            if inner:
                kept.append(replace(item, properties=inner))
    return replace(tree, items=tuple(kept))


def _resized(tree: Specification, name: str, size: float) -> Specification:
    """The tree with the region of property `name` at another size. Raises UserError EXPLORE002."""
    if not 0 <= size <= LARGEST_SIZE:
        raise user_error("EXPLORE002", f"a region has no size {size:g}", f"give a size from 0 to {LARGEST_SIZE}")
    gamma = Fraction(str(size))

    def with_size(entry: Property, own: str, otherwise: str | None) -> Property:
        if own != name:
            return entry
        quantifier = entry.quantifier
        if quantifier is None and otherwise is not None:
            return replace(entry, quantifier=ForAll(Focus(otherwise, gamma=gamma)))
        if not isinstance(quantifier, ForAll):
            raise user_error("EXPLORE002", f"{name[:100]} speaks of no region", "leave the size out")
        return replace(
            entry, quantifier=replace(quantifier, region=replace(quantifier.region, gamma=gamma, coverage=None))
        )

    items: list[Item] = []
    for item in tree.items:
        if isinstance(item, Property):
            items.append(with_size(item, item.name, None))
        elif isinstance(item, Module):
            inner = tuple(with_size(p, f"{item.name}.{p.name}", item.class_name) for p in item.properties)
            items.append(replace(item, properties=inner))
        else:
            items.append(item)
    return replace(tree, items=tuple(items))


def _spoken_of(verification: Verification, job: Obligation, result: PropertyResult) -> _Sizes:
    """The held-out images that count for a property, and where they lie in its region."""
    subject, quantifier = verification.subject, job.quantifier
    if isinstance(quantifier, ForAll):
        split, focus = subject.measure_split, quantifier.region
        rows = np.flatnonzero(verification.focus.members(split, focus.class_name))
        if result.region is None:
            return _Sizes(split, rows, None)
        if result.region.shape in READOUT_SHAPES:
            return _Sizes(split, rows, verification.readouts.place(job, focus, result.region).measured)
        sizes, passed = verification.focus.measure(focus, verification.focus.region(focus))
        return _Sizes(split, rows[passed], sizes[passed])
    if isinstance(quantifier, ForShare | ForShareNear):
        split = quantifier.images.split or subject.measure_split
        return _Sizes(split, np.flatnonzero(verification.focus.members(split, quantifier.images.class_name)), None)
    assert isinstance(quantifier, ForImage | ForImageNear)
    split, row = verification.describer.find(quantifier.image_id)
    return _Sizes(split, np.array([row]), None)


def _steps(sizes: Float64 | None, truth: NDArray[np.bool_], result: PropertyResult) -> tuple[records.SizeStep, ...]:
    """Counts inside regions of growing size: up to where nearly all images are inside, or to twice the broken size."""
    if sizes is None or result.region is None:
        return ()
    finite = sizes[np.isfinite(sizes)]
    ends = [float(result.region.size)]
    if result.gamma_max is not None and result.gamma_max.high is not None:
        ends.append(2 * result.gamma_max.high)
    if len(finite):
        ends.append(float(np.quantile(finite, 0.98)))
    grid = _grid(max(ends) or 1.0, result)
    ordered, false = np.sort(sizes), np.sort(sizes[~truth])
    # A real image inside refutes as well as any other point; by this much inside that rounding cannot change it.
    refuted = float(false[0]) * (1 + ROOM) if len(false) else np.inf
    inside = np.searchsorted(ordered, grid, side="right")
    breaking = np.searchsorted(false, grid, side="right")
    return tuple(
        records.SizeStep(
            float(size),  # as it is: the largest proved size, rounded, would be another
            int(n),
            int(k),
            "violated" if float(size) > refuted else _verdict_at(float(size), result),
        )
        for size, n, k in zip(grid, inside, breaking, strict=True)
    )


def _grid(end: float, result: PropertyResult) -> Float64:
    """Sizes from 0 to `end`, among them that of the region, the largest proved and the smallest refuted one."""
    assert result.region is not None
    exact = [float(result.region.size)]
    if result.gamma_max is not None:
        exact += [size for size in (result.gamma_max.low, result.gamma_max.high) if size is not None and size <= end]
    regular = [float(f"{size:.4g}") for size in np.linspace(0.0, end, STEPS + 1)]
    return np.unique(np.asarray([*regular, *exact]))


def _verdict_at(size: float, result: PropertyResult) -> Outcome:
    """A proof over a region is one over every smaller one of its kind; a counterexample stays inside every larger one."""
    assert result.region is not None
    asked, outcome = float(result.region.size), result.verdict.outcome
    bracket = result.gamma_max
    if (bracket is not None and bracket.low is not None and size <= bracket.low) or (
        outcome == "holds" and size <= asked
    ):
        return "holds"
    if (bracket is not None and bracket.high is not None and size >= bracket.high) or (
        outcome == "violated" and size >= asked
    ):
        return "violated"
    return "unknown"


def _profile(
    subject: VerificationModel, spoken: _Sizes, profile: Sequence[tuple[str, float]]
) -> tuple[records.ProfileEntry, ...]:
    """Each concept beside the images that the property speaks of, the most unusual first."""
    images = subject.splits[spoken.split].embeddings[spoken.rows]
    strengths = subject.lens.strengths(images) if len(images) > 1 else None
    place = {name: k for k, name in enumerate(subject.concept_names)}
    entries = [
        records.ProfileEntry(
            name,
            round(value, 5),
            None if strengths is None else round(100 * float((strengths[:, place[name]] <= value).mean()), 1),
        )
        for name, value in profile
    ]
    return tuple(
        sorted(entries, key=lambda entry: -abs((50.0 if entry.percentile is None else entry.percentile) - 50.0))
    )

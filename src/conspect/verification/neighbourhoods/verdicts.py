"""Verdicts about neighbourhoods: of a share of images by two exact binomial tests, of one image by what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.percentages import narrow
from conspect.core.spaces import Float64, Floats
from conspect.core.verdicts import HOLDS, VIOLATED, Verdict, unknown
from conspect.language.syntax.tree import ForImageNear, ForShareNear, Near, Not
from conspect.verification.images.describing import Describer
from conspect.verification.images.shares import p_value_of_share, share_verdicts
from conspect.verification.neighbourhoods.around import NONE, UNCHANGED, Around, ImagesAtHand, Question, Surroundings
from conspect.verification.neighbourhoods.claims import NeighbourhoodClaim
from conspect.verification.neighbourhoods.learning import Neighbourhoods, kinds_near
from conspect.verification.neighbourhoods.proving import NeighbourhoodProver
from conspect.verification.queries.formula_table import leads_asked, tabulate
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, names_of
from conspect.verification.queries.premises import premise_of
from conspect.verification.regions.focus import FocusRegions
from conspect.verification.results import NeighbourhoodCounts, WitnessRecord

NearQuantifier: TypeAlias = ForShareNear | ForImageNear


@dataclass(frozen=True, eq=False)
class NearVerdict:
    """The verdict about one property, what is known of its images, and a counterexample, a real picture if there is one."""

    verdict: Verdict
    vacuous: bool
    counts: NeighbourhoodCounts
    witness: WitnessRecord | None
    margin: float | None
    caveats: tuple[str, ...]
    claim: NeighbourhoodClaim


@dataclass(frozen=True, eq=False)
class _ImageQuery:
    """An query with the images that it speaks of, by row of their split."""

    job: Obligation
    quantifier: NearQuantifier
    split: str
    rows: NDArray[np.intp]
    near: Near


@dataclass(eq=False)
class NearVerdicts:
    """Decides properties about neighbourhoods; what was learned is kept between files."""

    model: VerificationModel
    options: VerifyOptions
    focus: FocusRegions
    describer: Describer
    neighbourhoods: Neighbourhoods = field(init=False)

    def __post_init__(self) -> None:
        self.neighbourhoods = Neighbourhoods(self.model)

    def decide(self, jobs: Sequence[Obligation]) -> list[NearVerdict]:
        """Verdicts in the order of the jobs. VERIFY006 with too few images for a share, VERIFY014 without changed ones."""
        asked = [self._asked(job) for job in jobs]
        known: dict[int, tuple[Around, Floats]] = {}
        groups: dict[tuple[str, str, Fraction, bool], list[int]] = {}
        for number, query in enumerate(asked):
            single = isinstance(query.quantifier, ForImageNear)
            groups.setdefault((query.split, query.near.changes, query.near.share, single), []).append(number)
        for (split, changes, share, single), numbers in groups.items():
            for part in [[number] for number in numbers] if single else [numbers]:
                images, places = self._at_hand(split, [asked[k] for k in part], single=single)
                questions = [
                    Question(asked[k].job.formula, asked[k].job.table, own) for k, own in zip(part, places, strict=True)
                ]
                surroundings = Surroundings(self.neighbourhoods, self.describer.exact)
                answers = surroundings.decide(questions, images, changes, share)
                chosen = self.neighbourhoods.chosen(changes)
                for k, answer, own in zip(part, answers, places, strict=True):
                    known[k] = answer, np.asarray(images.changed)[own][:, chosen]
        verdicts = self._verdicts(asked, [known[k][0] for k in range(len(asked))])
        return [self._answer(query, *known[k], verdicts[k]) for k, query in enumerate(asked)]

    def require_neighbourhoods(self, job: Obligation) -> None:
        """VERIFY006 with too few images for the share, VERIFY007 for an unknown image or split, VERIFY014 for no such changes."""
        near = self._asked(job).near
        hood = self.neighbourhoods.learned(kinds_near(job.table, len(self.model.concept_names)), near.changes)
        hood.radius(near.share)

    def _asked(self, job: Obligation) -> _ImageQuery:
        quantifier = job.quantifier
        assert isinstance(quantifier, ForShareNear | ForImageNear)
        if isinstance(quantifier, ForImageNear):
            split, row = self.describer.find(quantifier.image_id)
            return _ImageQuery(job, quantifier, split, np.asarray([row]), quantifier.near)
        split = quantifier.images.split or self.model.measure_split
        members = self.focus.members(split, quantifier.images.class_name)
        rows = self.neighbourhoods.changed.sample(split).rows
        return _ImageQuery(job, quantifier, split, np.asarray(rows[members[rows]]), quantifier.near)

    def _at_hand(
        self, split: str, asked: Sequence[_ImageQuery], *, single: bool
    ) -> tuple[ImagesAtHand, list[NDArray[np.intp]]]:
        """The images of a split with their pictures, and where those of each obligation are among them."""
        embeddings = self.model.splits[split].embeddings
        if single:
            row = int(asked[0].rows[0])
            around = self.neighbourhoods.changed.around(split, row)
            return ImagesAtHand(embeddings[row : row + 1], around[None]), [np.zeros(1, dtype=np.intp)]
        sample = self.neighbourhoods.changed.sample(split)
        places = [np.searchsorted(sample.rows, query.rows) for query in asked]
        return ImagesAtHand(embeddings[sample.rows], sample.embeddings), places

    def _verdicts(self, asked: Sequence[_ImageQuery], answers: Sequence[Around]) -> list[tuple[Verdict, str]]:
        """Each with a note on its test. Proofs are counted for "holds", counterexamples for "violated"."""
        shares = [
            (k, query.quantifier.share) for k, query in enumerate(asked) if isinstance(query.quantifier, ForShareNear)
        ]
        totals = [len(answers[k].proved) for k, _ in shares]
        proofs = [(int(answers[k].proved.sum()), n) for (k, _), n in zip(shares, totals, strict=True)]
        spared = [(n - int(answers[k].refuted.sum()), n) for (k, _), n in zip(shares, totals, strict=True)]
        wanted, confidence = [share for _, share in shares], self.options.confidence
        above, below = (share_verdicts(counts, wanted, confidence) for counts in (proofs, spared))
        verdicts: dict[int, tuple[Verdict, str]] = {}
        for place, (k, _) in enumerate(shares):
            if above[place][0].outcome == "holds":
                verdicts[k] = HOLDS, p_value_of_share("holds", wanted[place], above[place][1])
            elif below[place][0].outcome == "violated":
                verdicts[k] = VIOLATED, p_value_of_share("violated", wanted[place], below[place][1])
            else:
                n, proved, kept = totals[place], proofs[place][0], spared[place][0]
                why = f"a proof around {proved} of {n} images and a counterexample around {n - kept} decide neither"
                verdicts[k] = unknown(why if n else "no image of that class was changed"), ""
        for k, answer in enumerate(answers):
            if k not in verdicts:
                open_ = unknown("neither a proof nor a counterexample in the neighbourhood was found")
                verdicts[k] = (HOLDS if answer.proved[0] else VIOLATED if answer.refuted[0] else open_), ""
        return [verdicts[k] for k in range(len(asked))]

    def _answer(
        self, query: _ImageQuery, answer: Around, pictures: Floats, decided: tuple[Verdict, str]
    ) -> NearVerdict:
        verdict, test = decided
        vacuous = verdict.outcome == "holds" and self._is_vacuous(query, answer)
        if vacuous:
            verdict = Verdict("holds", "vacuous: nothing in the neighbourhoods satisfies its premise")
        counts = self._counts(query, answer)
        embeddings = self.model.splits[query.split].embeddings[query.rows]
        refuted = refuting(answer, embeddings, pictures)
        witness, margin = self._witness(query, answer, refuted) if verdict.outcome != "holds" else (None, None)
        hood = self.neighbourhoods.learned(
            kinds_near(query.job.table, len(self.model.concept_names)), query.near.changes
        )
        level = Fraction(1) - Fraction(str(self.options.confidence))
        ids = self.model.splits[query.split].ids
        claim = NeighbourhoodClaim(
            query.job.name, query.job.file, query.job.statement, query.job.table, verdict.outcome, query.job.class_name,
            query.split,
            tuple(ids[row] for row in query.rows), query.near, hood.kinds, hood.ellipsoid.factor, hood.radius(query.near.share),
            answer.centres, embeddings, answer.tree, answer.proved, refuted,
            query.quantifier.share if isinstance(query.quantifier, ForShareNear) else None, level,
        )  # fmt: skip
        return NearVerdict(verdict, vacuous, counts, witness, margin, self._caveats(query, counts, test), claim)

    def _is_vacuous(self, query: _ImageQuery, answer: Around) -> bool:
        """Whether around every image where the property is proved it is proved as well that its premise never holds."""
        premise = premise_of(query.job.formula)
        proved = np.flatnonzero(answer.proved)
        if premise is None or self.describer.truth(premise, query.split)[query.rows[proved]].any():
            return False
        denied = tabulate(Not(premise), names_of(self.model))
        hood = self.neighbourhoods.learned(
            kinds_near(query.job.table, len(self.model.concept_names)), query.near.changes
        )
        rows = self.neighbourhoods.rows(hood.kinds, sorted(leads_asked(denied)))
        prover = NeighbourhoodProver(rows, hood.extents, answer.centres)
        return bool(prover.prove([(denied, proved)], hood.radius(query.near.share))[0].images.all())

    def _counts(self, query: _ImageQuery, answer: Around) -> NeighbourhoodCounts:
        hood = self.neighbourhoods.learned(
            kinds_near(query.job.table, len(self.model.concept_names)), query.near.changes
        )
        radius = hood.radius(query.near.share)
        measured = hood.measure(radius)
        pictured, images = int((answer.picture != NONE).sum()), len(answer.proved)
        proved = int(answer.proved.sum())
        return NeighbourhoodCounts(
            changes=query.near.changes,
            share=float(query.near.share),
            radius=float(radius),
            measured_share=measured.share,
            by_change=measured.by_change,
            images=images,
            proved=proved,
            refuted_by_picture=pictured,
            refuted_unchanged=int((answer.picture == UNCHANGED).sum()),
            refuted_by_embedding=len(answer.embeddings),
            unknown=images - proved - pictured - len(answer.embeddings),
            reads=hood.kinds.words(self.model.concept_names),
        )

    def _witness(
        self, query: _ImageQuery, answer: Around, refuted: dict[int, Float64]
    ) -> tuple[WitnessRecord | None, float | None]:
        """A changed picture where one refutes, else an image itself, else an embedding."""
        if not refuted:
            return None, None
        place = max(refuted, key=lambda k: (min(int(answer.picture[k]), 0), -k))
        which = int(answer.picture[place])
        image = self.model.splits[query.split].ids[query.rows[place]]
        described = self.describer.describe(refuted[place], None, image_id=image)
        pictures = self.neighbourhoods.changed.pictures
        words = None if which < 0 else pictures[self.neighbourhoods.chosen(query.near.changes)[which]].words
        witness = replace(described, image_id=image if which == UNCHANGED else None, around=image, change=words)
        return witness, self.describer.margin(query.job.formula, refuted[place])

    def _caveats(self, query: _ImageQuery, counts: NeighbourhoodCounts, test: str) -> tuple[str, ...]:
        caveats = [
            f"proved around {counts.proved} of {counts.images} images, refuted around {counts.refuted_by_picture} by a "
            f"picture and {counts.refuted_by_embedding} by an embedding alone, open around {counts.unknown}",
            f"a neighbourhood holds {narrow(counts.share)} of changed pictures of a new image, guaranteed; "
            f"{narrow(counts.measured_share)} of those measured",
            "each image is decided in exact arithmetic, and counted again by the checker of certificates",
        ]
        if isinstance(query.quantifier, ForShareNear):
            caveats.append(
                f"a statement about images like those of split {query.split}, at confidence {self.options.confidence:g}"
            )
        if query.split in (self.model.fit_split, self.model.size_split):
            caveats.append("the neighbourhoods were learned from images of the same split")
        return (*caveats, test) if test else tuple(caveats)


def refuting(answer: Around, embeddings: Floats, pictures: Floats) -> dict[int, Float64]:
    """By image, the embedding `[D]` that refutes: the picture's where there is one.

    `embeddings [image, D]`, `pictures [image, picture, D]`: of the question's images, in its order.
    """
    embedding_of = dict(answer.embeddings)
    for place in np.flatnonzero(answer.picture != NONE).tolist():
        which = int(answer.picture[place])
        own = embeddings[place] if which == UNCHANGED else pictures[place, which]
        embedding_of[place] = np.asarray(own, dtype=np.float64)
    return embedding_of

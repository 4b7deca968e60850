"""Neighbourhoods of a study's images: its properties around each of them, summed up."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from conspect.core.claim_names import around_images
from conspect.core.diagnostics import UserError
from conspect.core.protocols import ProgressBar
from conspect.core.spaces import Float64
from conspect.core.verdicts import Outcome
from conspect.language.syntax.tree import ORDINARY, ForAll, Near, Predict, Specification
from conspect.results.neighbourhoods import (
    NeighbourhoodProperty,
    NeighbourhoodRow,
    Neighbourhoods,
    RealCounterexample,
)
from conspect.study.config import NeighbourhoodsConfig
from conspect.study.proving.sums import BROAD
from conspect.study.proving.sums import around_images as around_all
from conspect.verification.images.describing import Describer
from conspect.verification.images.exact_truth import ExactTruth
from conspect.verification.images.shares import share_verdicts
from conspect.verification.neighbourhoods import learning
from conspect.verification.neighbourhoods.around import NONE, UNCHANGED, Around, ImagesAtHand, Question, Surroundings
from conspect.verification.neighbourhoods.claims import NeighbourhoodClaim
from conspect.verification.neighbourhoods.learning import kinds_near
from conspect.verification.neighbourhoods.verdicts import refuting
from conspect.verification.queries.formula_table import concepts_named, tabulate
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation, names_of, plan

SHARES = tuple(Fraction(k, 100) for k in (50, 60, 70, 80, 90, 95))


def neighbourhoods_of(
    trees: Sequence[tuple[str, Specification]],
    subject: VerificationModel,
    config: NeighbourhoodsConfig,
    *,
    bar: ProgressBar,
) -> tuple[Neighbourhoods | None, str | None, list[NeighbourhoodClaim]]:
    """Every property over a region of a class, around the measured images of that class; or why there is nothing to say.

    `trees`: file name and specification. With it the claims that prove it: of each property, that it is true around nine
    tenths of the images like these.
    """
    obligations = [
        obligation
        for file, tree in trees
        for obligation in plan(tree, subject, file)
        if isinstance(obligation.quantifier, ForAll) and obligation.class_name is not None
    ]
    try:
        if not obligations:
            return None, None, []
        summed, claims = _summed(obligations, subject, config, bar)
        return summed, None, claims
    except UserError as error:
        if error.diagnostics[0].code != "VERIFY006":
            raise
        return None, error.diagnostics[0].problem, []


def _summed(
    obligations: Sequence[Obligation], subject: VerificationModel, config: NeighbourhoodsConfig, bar: ProgressBar
) -> tuple[Neighbourhoods, list[NeighbourhoodClaim]]:
    hoods = learning.Neighbourhoods(subject)
    surroundings = Surroundings(hoods, ExactTruth(subject))
    sample = hoods.changed.sample(subject.measure_split)
    split = subject.splits[subject.measure_split]
    images = ImagesAtHand(split.embeddings[sample.rows], sample.embeddings)
    labels = np.asarray(split.labels)[sample.rows]
    questions = [
        Question(job.formula, job.table, np.flatnonzero(labels == subject.class_names.index(job.class_name or "")))
        for job in obligations
    ]
    share = Fraction(str(config.share))
    hood = hoods.learned(kinds_near((), len(subject.concept_names)), ORDINARY)
    shares = [share for share in SHARES if _reachable(hood, share)]
    advance = bar("neighbourhoods", len(shares) + 1)
    answers = surroundings.decide(questions, images, ORDINARY, share)
    advance(1)
    decisions = _decisions(subject, images)
    curve = []
    for near_share in shares:
        proved = surroundings.proved(questions, images.embeddings, ORDINARY, near_share)
        curve.append(
            _row(near_share, hood, proved, surroundings.proved(decisions, images.embeddings, ORDINARY, near_share))
        )
        advance(1)
    kept = np.concatenate(surroundings.proved(decisions, images.embeddings, ORDINARY, share))
    radius = hood.radius(share)
    measured = hood.measure(radius)
    properties = tuple(_property(job, answer) for job, answer in zip(obligations, answers, strict=True))
    means = around_all(properties)
    claims = _claims(obligations, questions, answers, hoods, share)
    summed = Neighbourhoods(
        changes=tuple(config.changes),
        share=config.share,
        radius=float(radius),
        measured_share=measured.share,
        measured_low=measured.low,
        measured_high=measured.high,
        by_change=measured.by_change,
        by_class=measured.by_class,
        fitted_images=hood.fitted_images,
        sized_images=len(hood.sized),
        images=measured.images,
        mean_proved=means.proved,
        mean_refuted_by_picture=means.refuted_by_picture,
        mean_refuted_by_embedding=means.refuted_by_embedding,
        mean_unknown=means.unknown,
        properties_proved_around_90=means.proved_around_90,
        decision_proved=float(kept.mean()) if len(kept) else 0.0,
        curve=tuple(curve),
        counterexample=_counterexample(obligations, questions, answers, subject),
        certified=True,
        properties=properties,
    )
    return summed, claims


def _row(
    share: Fraction, hood: learning.Neighbourhood, proved: Sequence[np.ndarray], decisions: Sequence[np.ndarray]
) -> NeighbourhoodRow:
    """What is proved where neighbourhoods hold `share` of the changes; `proved` by property and `decisions` by class: for each
    image whether it is.
    """
    kept, radius = np.concatenate(decisions), hood.radius(share)
    return NeighbourhoodRow(
        share=float(share),
        radius=float(radius),
        measured_share=hood.measure(radius).share,
        mean_proved=_mean(proved),
        properties_proved_around_90=_broadly(proved),
        decision_proved=float(kept.mean()) if len(kept) else 0.0,
    )


def _claims(
    obligations: Sequence[Obligation],
    questions: Sequence[Question],
    answers: Sequence[Around],
    hoods: learning.Neighbourhoods,
    share: Fraction,
) -> list[NeighbourhoodClaim]:
    """What is proved and refuted around the images of each property, for the checker to count again."""
    model, options = hoods.model, VerifyOptions()
    split = model.splits[model.measure_split]
    sample, chosen = hoods.changed.sample(model.measure_split), hoods.chosen(ORDINARY)
    counts = [(int(answer.proved.sum()), len(answer.proved)) for answer in answers]
    spared = [(n - int(answer.refuted.sum()), n) for answer, (_, n) in zip(answers, counts, strict=True)]
    shares = [BROAD] * len(answers)
    above, below = (share_verdicts(each, shares, options.confidence) for each in (counts, spared))
    claims = []
    for job, question, answer, up, down in zip(obligations, questions, answers, above, below, strict=True):
        if not len(question.images):
            continue
        verdict: Outcome = "holds" if up[0].outcome == "holds" else "unknown"
        verdict = "violated" if verdict == "unknown" and down[0].outcome == "violated" else verdict
        hood = hoods.learned(kinds_near(job.table, len(model.concept_names)), ORDINARY)
        rows = sample.rows[question.images]
        embeddings = split.embeddings[rows]
        pictures = np.asarray(sample.embeddings)[question.images][:, chosen]
        claim = NeighbourhoodClaim(
            around_images(job.name), job.file, job.statement, job.table, verdict, job.class_name, model.measure_split,
            tuple(split.ids[row] for row in rows.tolist()), Near(ORDINARY, share), hood.kinds, hood.ellipsoid.factor,
            hood.radius(share), answer.centres, embeddings, answer.tree, answer.proved,
            refuting(answer, embeddings, pictures), BROAD, Fraction(1) - Fraction(str(options.confidence)),
        )  # fmt: skip
        claims.append(claim)
    return claims


def _reachable(hood: learning.Neighbourhood, share: Fraction) -> bool:
    try:
        hood.radius(share)
    except UserError:  # too few images for a share near 1
        return False
    return True


def _decisions(subject: VerificationModel, images: ImagesAtHand) -> list[Question]:
    """That the model goes on saying what it says, class by class."""
    outputs = np.asarray(subject.head.logits(np.asarray(images.embeddings, dtype=np.float64)).argmax(axis=1))
    names = names_of(subject)
    return [
        Question(Predict(name), tabulate(Predict(name), names), np.flatnonzero(outputs == k))
        for k, name in enumerate(subject.class_names)
    ]


def _mean(proved: Sequence[np.ndarray]) -> float:
    return _over([float(known.mean()) for known in proved if len(known)])


def _over(shares: Sequence[float]) -> float:
    return float(np.mean(shares)) if shares else 0.0


def _broadly(proved: Sequence[np.ndarray]) -> int:
    return sum(Fraction(int(known.sum()), len(known)) >= BROAD for known in proved if len(known))


def _property(job: Obligation, answer: Around) -> NeighbourhoodProperty:
    images, proved = len(answer.proved), int(answer.proved.sum())
    pictured, embedded = int((answer.picture != NONE).sum()), len(answer.embeddings)
    return NeighbourhoodProperty(
        id=job.name,
        file=job.file,
        class_name=job.class_name or "",
        images=images,
        proved=proved,
        refuted_by_picture=pictured,
        refuted_unchanged=int((answer.picture == UNCHANGED).sum()),
        refuted_by_embedding=embedded,
        unknown=images - proved - pictured - embedded,
    )


def _counterexample(
    obligations: Sequence[Obligation],
    questions: Sequence[Question],
    answers: Sequence[Around],
    subject: VerificationModel,
) -> RealCounterexample | None:
    """Of the properties that a change breaks, though the image itself keeps it: the clearest case, by the smaller of the two
    margins, of an image that the model calls by its class before the change, if there is one.
    """
    assert subject.changed is not None
    sample, split = subject.changed.sample(subject.measure_split), subject.splits[subject.measure_split]
    describer = Describer(subject, 0)
    outputs = np.asarray(
        subject.head.logits(np.asarray(split.embeddings[sample.rows], dtype=np.float64)).argmax(axis=1)
    )
    right = outputs == np.asarray(split.labels)[sample.rows]

    def clearness(k: int, place: int) -> tuple[bool, float]:
        at, formula = int(questions[k].images[place]), obligations[k].formula
        before, after = split.embeddings[sample.rows[at]], sample.embeddings[at][int(answers[k].picture[place])]
        kept, broken = (
            describer.margin(formula, np.asarray(embedding, dtype=np.float64)) or 0.0 for embedding in (before, after)
        )
        return bool(right[at]), min(kept, -broken)

    cases = [
        (clearness(k, place), -k, -place)
        for k, answer in enumerate(answers)
        for place in np.flatnonzero(answer.picture >= 0).tolist()
    ]
    if not cases:
        return None
    _, chosen, place = max(cases)
    answer, job, at = answers[-chosen], obligations[-chosen], int(questions[-chosen].images[-place])
    row, which = int(sample.rows[at]), int(answer.picture[-place])
    before, after = (
        np.asarray(embedding, dtype=np.float64)[None]
        for embedding in (split.embeddings[row], sample.embeddings[at][which])
    )
    return RealCounterexample(
        id=job.name,
        statement=job.statement,
        concepts=tuple(subject.concept_names[k] for k in concepts_named(job.table)),
        image=split.ids[row],
        label=subject.class_names[int(split.labels[row])],
        change=subject.changed.pictures[which].words,
        predicted_before=_predicted(subject, before),
        predicted_after=_predicted(subject, after),
        strength_before=_strengths(subject, before),
        strength_after=_strengths(subject, after),
    )


def _predicted(subject: VerificationModel, embedding: Float64) -> str:
    return subject.class_names[int(subject.head.logits(embedding)[0].argmax())]


def _strengths(subject: VerificationModel, embedding: Float64) -> dict[str, float]:
    return dict(zip(subject.concept_names, map(float, subject.lens.strengths(embedding)[0]), strict=True))

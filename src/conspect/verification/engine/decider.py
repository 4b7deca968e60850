"""Settles jobs over their regions: the batch first, the exact check of all of it, then the sizes at which they change."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from conspect.core.regions import Region
from conspect.core.spaces import AffineMap
from conspect.verification.engine import batch
from conspect.verification.engine.batch import RegionForms, Task, new_task
from conspect.verification.engine.exact import ExactModel, ExactRegion
from conspect.verification.engine.prover import Outcome, Prover
from conspect.verification.engine.sizes import SizeSearch
from conspect.verification.engine.solvers import scip
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.negation import AtomRows
from conspect.verification.queries.planning import Obligation
from conspect.verification.results import CurvePoint, GammaMax


@dataclass(eq=False)
class Answer:
    """What is known of one job over its region."""

    outcome: Outcome
    margin: float | None = None
    gamma_max: GammaMax | None = None
    curve: tuple[CurvePoint, ...] = ()
    caveats: tuple[str, ...] = ()
    seconds: float = 0.0


def base_forms(subject: VerificationModel) -> AffineMap:
    """Logits, unnormalised strengths q'y and zero as one affine map of the embedding; float64, for the batch.

    The logits of a head with ReLU layers are not affine; zeros stand in their place, and nothing may rest on them.
    """
    dimension = subject.dimension
    if subject.head.is_linear:
        logits = subject.head.layers[0]
    else:
        logits = AffineMap(np.zeros((subject.head.classes, dimension)), np.zeros(subject.head.classes))
    folded = subject.lens.folded
    return AffineMap(
        np.vstack([logits.weight, folded.weight, np.zeros((1, dimension))]),
        np.concatenate([logits.offset, folded.offset, [0.0]]),
    )


@dataclass(eq=False)
class Decider:
    """One subject in floats and in exact integers; regions are converted once."""

    subject: VerificationModel
    options: VerifyOptions
    progress: Callable[[int], None] = lambda steps: None
    reading: AtomRows = field(init=False)
    base: AffineMap = field(init=False)
    _model: ExactModel | None = None
    _regions: dict[int, ExactRegion] = field(default_factory=dict)
    _slopes: dict[int, RegionForms] = field(default_factory=dict)

    def __post_init__(self) -> None:
        subject = self.subject
        thresholds = {
            index: Fraction(subject.thresholds[name])
            for index, name in enumerate(subject.concept_names)
            if name in subject.thresholds
        }
        self.reading = AtomRows(len(subject.class_names), len(subject.concept_names), thresholds)
        self.base = base_forms(subject)

    @property
    def model(self) -> ExactModel:
        """The subject in exact integers."""
        if self._model is None:
            head = self.subject.head
            linear = head.layers[0] if head.is_linear else None
            self._model = ExactModel.of(linear, head.classes, self.subject.lens)
        return self._model

    def exact_region(self, region: Region) -> ExactRegion:
        """A region's directions in exact integers; its size does not matter."""
        key = _arrays_key(region)
        if key not in self._regions:
            self._regions[key] = ExactRegion(region, self.model)
        return self._regions[key]

    def forms(self, region: Region) -> RegionForms:
        """Base forms seen from a region; its directions are multiplied out once for all sizes."""
        key = _arrays_key(region)
        if key not in self._slopes:
            self._slopes[key] = RegionForms.of(region, self.base)
        return self._slopes[key].resized(region)

    def prover(self, region: Region, forms: RegionForms | None = None) -> Prover:
        """Exact decisions over one region at its size."""
        return Prover(
            self.exact_region(region),
            forms or self.forms(region),
            region.size,
            self.reading,
            self.options.node_budget,
            self.options.seconds_budget,
            self.subject.head,
            self.subject.lens.alignment,
            (self.subject.class_names, self.subject.concept_names),
        )

    def decide(self, jobs: Sequence[tuple[Obligation, Region]]) -> list[Answer]:
        """Answers in the order of the jobs."""
        started = time.perf_counter()
        keys: dict[str, int] = {}
        forms: list[RegionForms] = []
        tasks: list[Task] = []
        for job, region in jobs:
            key = region.digest
            if key not in keys:
                keys[key] = len(forms)
                forms.append(self.forms(region))
            tasks.append(new_task(job.table, self.reading, keys[key], region.cut, job.formula))
        linear = [task for task in tasks if self.is_linear(task)]
        batch.decide(linear, forms, self.reading, self.options.node_budget)
        share = (time.perf_counter() - started) / max(1, len(tasks))
        provers = [self.prover(each.region, each) for each in forms]
        answers = [self._concluded(task, provers[task.region_key], share) for task in tasks]
        if self.options.search_gamma:
            self._search_sizes(jobs, answers)
        return answers

    def is_linear(self, task: Task) -> bool:
        """Whether all literals of a task are linear in the embedding."""
        asked = {int(node[1]) for node in task.table if node[0] == "has"}
        predicts = task.cut is not None or any(node[0] == "predict" for node in task.table)
        return all(self.reading.thresholds[k] == 0 for k in asked) and (self.subject.head.is_linear or not predicts)

    def _concluded(self, task: Task, prover: Prover, share: float) -> Answer:
        started = time.perf_counter()
        outcome = prover.conclude(task)
        caveats: tuple[str, ...] = ()
        if self.options.cross_check == "scip":
            caveats = (scip.opinion(task.root, prover.forms, outcome.verdict.outcome),)
        spent = share + time.perf_counter() - started
        self.progress(1)
        return Answer(outcome, margin=outcome.margin, caveats=caveats, seconds=spent)

    def _search_sizes(self, jobs: Sequence[tuple[Obligation, Region]], answers: list[Answer]) -> None:
        search = SizeSearch(self)
        brackets = []
        for (job, region), answer in zip(jobs, answers, strict=True):
            started = time.perf_counter()
            answer.gamma_max = search.bracket(job, region, answer.outcome)
            brackets.append(answer.gamma_max)
            self.progress(1)
            answer.seconds += time.perf_counter() - started
        curves = search.curves(jobs, brackets, self.options.curve_gammas, self.options.node_budget)
        for answer, curve in zip(answers, curves, strict=True):
            answer.curve = curve
        self._tighten(jobs, answers)

    def _tighten(self, jobs: Sequence[tuple[Obligation, Region]], answers: list[Answer]) -> None:
        """Margins near the best where something holds: the first multipliers found only had the right sign."""
        held = [k for k, answer in enumerate(answers) if answer.outcome.verdict.outcome == "holds"]
        tasks: list[Task] = []
        forms: list[RegionForms] = []
        for k in held:
            job, region = jobs[k]
            tasks.append(new_task(job.table, self.reading, len(forms), region.cut))
            forms.append(self.forms(region))
        batch.decide([t for t in tasks if self.is_linear(t)], forms, self.reading, self.options.node_budget, tight=True)
        for k, task in zip(held, tasks, strict=True):
            found = batch.margin_of(task)
            if found is not None and task.witness is None:
                answers[k].margin = max(found, answers[k].margin or found)


def _arrays_key(region: Region) -> int:
    """Regions resized from one estimate share their arrays, so identity tells them apart at no cost."""
    return id(region.factor)

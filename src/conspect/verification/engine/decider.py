"""Decides obligations over their regions: the batch first, the exact check of all of it, then the sizes at which they change."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from conspect.core.regions import Region
from conspect.core.spaces import AffineMap
from conspect.core.verdicts import unknown
from conspect.verification.engine import batch
from conspect.verification.engine.batch import RegionForms, Task, new_task
from conspect.verification.engine.certifiable import certifiable
from conspect.verification.engine.exact import ExactModel, ExactRegion
from conspect.verification.engine.points import SizedRegion
from conspect.verification.engine.prover import Outcome, Prover
from conspect.verification.engine.sizes import Bracket, SizeSearch
from conspect.verification.engine.solvers import scip
from conspect.verification.measures import CurvePoint
from conspect.verification.queries.formula_table import concepts_asked, predicts
from conspect.verification.queries.model import VerificationModel, VerifyOptions
from conspect.verification.queries.negation import AtomRows
from conspect.verification.queries.planning import Obligation


@dataclass(eq=False)
class RegionDecision:
    """What is known of one obligation over its region."""

    outcome: Outcome
    margin: float | None = None
    bracket: Bracket | None = None
    curve: tuple[CurvePoint, ...] = ()
    caveats: tuple[str, ...] = ()
    seconds: float = 0.0


def base_forms(subject: VerificationModel, rows: AtomRows) -> AffineMap:
    """Logits, unnormalised strengths q'y, zero and raised logits as one affine map of the embedding; for the batch.

    The logits of a head with ReLU layers are not affine; zeros stand in their place, and nothing may rest on them.
    """
    dimension = subject.dimension
    if subject.head.is_linear:
        logits = subject.head.layers[0]
    else:
        logits = AffineMap(np.zeros((subject.head.classes, dimension)), np.zeros(subject.head.classes))
    folded = subject.lens.folded
    weights = [logits.weight, folded.weight, np.zeros((1, dimension))]
    offsets = [logits.offset, folded.offset, np.zeros(1)]
    for lead in rows.leads:
        weights.append(logits.weight)
        offsets.append(logits.offset + float(lead))
    if rows.linear_norm:
        norm = subject.lens.alignment
        bars = np.array([float(rows.thresholds.get(k, 0)) for k in range(rows.concepts)])
        weights.append(bars[:, None] * norm.weight[-1])
        offsets.append(bars * norm.offset[-1])
    return AffineMap(np.vstack(weights), np.concatenate(offsets))


def _frame_key(region: Region) -> str:
    """What a region's directions are known again by. A pca-box and an ellipsoid have the same arrays, and other norms."""
    return f"{region.shape} {region.arrays_digest}"


@dataclass(eq=False)
class Decider:
    """One subject in floats and in exact integers; regions are converted once, known again by their content.

    `leads`: those that properties ask for. `linear_norm`: the last entry of the lens's mapped embedding is its length
    (readout regions), which makes `hasCon` linear.
    """

    subject: VerificationModel
    options: VerifyOptions
    progress: Callable[[int], None] = lambda steps: None
    leads: tuple[Fraction, ...] = ()
    linear_norm: bool = False
    rows: AtomRows = field(init=False)
    base: AffineMap = field(init=False)
    _model: ExactModel | None = None
    _regions: dict[str, ExactRegion] = field(default_factory=dict)
    _slopes: dict[str, RegionForms] = field(default_factory=dict)

    def __post_init__(self) -> None:
        subject = self.subject
        thresholds = {
            index: Fraction(subject.thresholds[name])
            for index, name in enumerate(subject.concept_names)
            if name in subject.thresholds
        }
        self.rows = AtomRows(
            len(subject.class_names), len(subject.concept_names), thresholds, self.leads, self.linear_norm
        )
        self.base = base_forms(subject, self.rows)

    def without_search(self) -> Decider:
        """The same decisions, with all that is known of regions, at one size alone and without a second opinion."""
        options = replace(self.options, search_gamma=False, cross_check="none")
        return Decider(
            self.subject,
            options,
            leads=self.leads,
            linear_norm=self.linear_norm,
            _model=self._model,
            _regions=self._regions,
            _slopes=self._slopes,
        )

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
        key = _frame_key(region)
        if key not in self._regions:
            self._regions[key] = ExactRegion(region, self.model, self.rows)
        return self._regions[key]

    def forms(self, region: Region) -> RegionForms:
        """Base forms seen from a region; its directions are multiplied out once for all sizes."""
        key = _frame_key(region)
        if key not in self._slopes:
            self._slopes[key] = RegionForms.of(region, self.base)
        return self._slopes[key].resized(region)

    def prover(self, region: Region, forms: RegionForms | None = None) -> Prover:
        """Exact decisions over one region at its size."""
        sized = SizedRegion(
            self.exact_region(region),
            forms or self.forms(region),
            region.size,
            self.rows,
            self.subject.head,
            self.subject.lens.alignment,
        )
        names = (self.subject.class_names, self.subject.concept_names)
        return Prover(sized, self.options.node_budget, self.options.seconds_budget, names)

    def decide(self, jobs: Sequence[tuple[Obligation, Region]]) -> list[RegionDecision]:
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
            tasks.append(new_task(job.table, self.rows, keys[key], region.cut, job.formula))
        self.decide_in_floats(tasks, forms)
        share = (time.perf_counter() - started) / max(1, len(tasks))
        provers = [self.prover(each.region, each) for each in forms]
        answers = [self._concluded(task, provers[task.region_key], share) for task in tasks]
        if self.options.search_gamma:
            self._search_sizes(jobs, answers)
        return answers

    def is_linear(self, task: Task) -> bool:
        """Whether all literals of a task are linear in the embedding."""
        speaks_of_logits = task.cut is not None or predicts(task.table)
        is_linear = self.subject.head.is_linear or not speaks_of_logits
        return is_linear and all(map(self.rows.is_linear, concepts_asked(task.table)))

    def decide_in_floats(self, tasks: Sequence[Task], forms: list[RegionForms], *, tight: bool = False) -> None:
        """Hints for all tasks that are linear; where floats fail the tasks stay open, and exact search begins anew."""
        linear = [task for task in tasks if self.is_linear(task)]
        deadline = time.monotonic() + self.options.seconds_budget * max(1, len(linear))
        try:
            with np.errstate(all="ignore"):
                batch.decide(linear, forms, self.rows, self.options.node_budget, tight=tight, deadline=deadline)
        except (np.linalg.LinAlgError, ArithmeticError):
            for task in linear:
                task.restart()

    def _concluded(self, task: Task, prover: Prover, share: float) -> RegionDecision:
        started = time.perf_counter()
        outcome = certifiable(self.guarded(lambda: prover.conclude(task)))
        caveats: tuple[str, ...] = ()
        if self.options.cross_check == "scip":
            caveats = (scip.opinion(task.root, prover.sized.forms, outcome.verdict.outcome),)
        spent = share + time.perf_counter() - started
        self.progress(1)
        return RegionDecision(outcome, margin=outcome.margin, caveats=caveats, seconds=spent)

    @staticmethod
    def guarded(decide: Callable[[], Outcome]) -> Outcome:
        """The outcome, or unknown where arithmetic fails: one property's trouble is not that of the file."""
        try:
            with np.errstate(all="ignore"):
                return decide()
        except (ArithmeticError, np.linalg.LinAlgError, ValueError, MemoryError, RecursionError) as error:
            return Outcome(unknown(f"the arithmetic of this property failed ({type(error).__name__}: {error})"[:200]))

    def _search_sizes(self, jobs: Sequence[tuple[Obligation, Region]], answers: list[RegionDecision]) -> None:
        search = SizeSearch(self, self.options.patience)
        brackets = []
        for (job, region), answer in zip(jobs, answers, strict=True):
            started = time.perf_counter()
            left = self.options.seconds_budget - answer.seconds
            answer.bracket = search.bracket(job, region, answer.outcome, left)
            brackets.append(answer.bracket)
            self.progress(1)
            answer.seconds += time.perf_counter() - started
        curves = search.curves(jobs, brackets, self.options.curve_gammas)
        for answer, curve in zip(answers, curves, strict=True):
            answer.curve = curve
        self._tighten(jobs, answers)

    def _tighten(self, jobs: Sequence[tuple[Obligation, Region]], answers: list[RegionDecision]) -> None:
        """Margins near the best where something holds: the first multipliers found only had the right sign.

        What is kept is what the better multipliers prove in exact arithmetic, never the float estimate.
        """
        held = [k for k, answer in enumerate(answers) if answer.outcome.verdict.outcome == "holds"]
        tasks: list[Task] = []
        forms: list[RegionForms] = []
        for k in held:
            job, region = jobs[k]
            tasks.append(new_task(job.table, self.rows, len(forms), region.cut))
            forms.append(self.forms(region))
        self.decide_in_floats(tasks, forms, tight=True)
        for k, task in zip(held, tasks, strict=True):
            proved, estimate = answers[k].margin, batch.margin_of(task)
            if estimate is None or task.witness is not None or (proved is not None and estimate <= proved):
                continue
            better = self.prover(jobs[k][1], forms[task.region_key]).proved_margin(task)
            if better is not None:
                answers[k].margin = better if proved is None else max(better, proved)

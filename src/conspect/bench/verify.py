"""How fast properties are decided: all 3,060 `predict(x, c) => >(x, i, j)` of 10 classes and 18 concepts at D = 512.

Compared in the same run with one SCIP model per property, as the thesis prototype builds them, and with HiGHS through
scipy, one linear program per property. Both are timed on a sample and scaled up.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linprog

from conspect.bench.rows import Row, row
from conspect.checker import check
from conspect.core.regions import Region, estimate_region
from conspect.core.spaces import AffineMap, Float64, Head, Lens
from conspect.core.vectors import unit
from conspect.language.syntax.tree import Focus, ForAll, Implies, Predict, Stronger
from conspect.verification.certificates.claims import Claim, region_claim
from conspect.verification.certificates.writing import bundle, write_bundle
from conspect.verification.engine import batch
from conspect.verification.engine.batch import RegionForms, Task, new_task, strength_margins
from conspect.verification.engine.decider import Decider
from conspect.verification.engine.prover import Outcome
from conspect.verification.queries.formula_table import Names, tabulate
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel, VerifyOptions
from conspect.verification.queries.planning import Obligation

CLASSES, CONCEPTS, DIMENSION, WIDTH = 10, 18, 512, 512
GAMMA = Fraction(2, 5)
TIE = 1e-6
TWIN, SPREAD = 0.1, 0.1


@dataclass(frozen=True, eq=False)
class Setting:
    """A synthetic subject with a box per class and every property."""

    subject: VerificationModel
    regions: list[Region]
    jobs: list[tuple[Obligation, int]]


def setting(seed: int = 0, *, dimension: int = DIMENSION, classes: int = CLASSES, concepts: int = CONCEPTS) -> Setting:
    """Embeddings around class means that carry some concepts each, so that a part of the properties holds."""
    generator = np.random.default_rng(seed)
    carried = generator.random((classes, concepts)) < 0.35
    factors = generator.normal(size=(concepts, dimension)) * 8 / np.sqrt(dimension)
    means = carried @ factors * 0.25 + 0.35 * generator.normal(size=(classes, dimension))
    # Classes come in near twins, so that for some the head matters: a twin takes over before the concepts change.
    means[1::2] = means[::2] + TWIN * generator.normal(size=(classes // 2, dimension))
    spread = SPREAD * 8 / np.sqrt(dimension) * (0.8 + 0.4 * generator.random((classes, dimension)))
    weight = (means - means.mean(axis=0)).astype(np.float64)
    offset = -0.5 * np.square(means).sum(axis=1)
    alignment = generator.normal(size=(WIDTH if dimension == DIMENSION else dimension, dimension)) / np.sqrt(dimension)
    directions = unit(factors @ alignment.T + 0.1 * generator.normal(size=(concepts, alignment.shape[0])))
    names = tuple(f"concept{k}" for k in range(concepts))
    lens = Lens(AffineMap(alignment, np.zeros(alignment.shape[0])), names, directions)
    none = EmbeddingSplit(np.zeros((0, dimension)), np.zeros(0, dtype=np.int64), ())
    classes_named = tuple(f"class{k}" for k in range(classes))
    subject = VerificationModel(
        Head.linear(weight, offset - offset.mean()),
        lens,
        classes_named,
        {"all": none},
        fit_split="all",
        size_split="all",
        measure_split="all",
    )
    regions = [
        estimate_region(means[k] + spread[k] * generator.normal(size=(300, dimension)), "box", GAMMA)
        for k in range(classes)
    ]
    known = Names({n: k for k, n in enumerate(classes_named)}, {n: k for k, n in enumerate(names)})
    jobs = []
    for index, name in enumerate(classes_named):
        for left, right in permutations(names, 2):
            formula = Implies(Predict(name), Stronger(left, right))
            table = tabulate(formula, known)
            job = Obligation(f"{name}:{left}>{right}", formula, table, ForAll(Focus(name)), name, "", None, "")
            jobs.append((job, index))
    return Setting(subject, regions, jobs)


def rows(*, sample: int = 60, seed: int = 0) -> list[Row]:
    """Figures as `{"what", "value", "unit", "target", "met"}`; target and met are None where nothing is asked.

    `sample`: properties that SCIP is timed on; HiGHS through scipy solves all of them.
    """
    given = setting(seed)
    table: list[Row] = []

    def say(what: str, value: float | None, unit: str, target: float | None = None) -> None:
        table.append(row(what, value, unit, None if target is None else ("<=", target)))

    decider = Decider(given.subject, VerifyOptions(gamma=GAMMA, search_gamma=False))
    _settled(given, decider)  # the first call also loads the linear algebra library
    decider = Decider(given.subject, VerifyOptions(gamma=GAMMA, search_gamma=False))
    started = time.perf_counter()
    tasks, forms = _settled(given, decider)
    seconds = time.perf_counter() - started
    total = len(tasks)
    say(f"all {total} properties decided", seconds, "s", 0.5)
    say("left open by the batch", sum(task.stuck for task in tasks), "properties", 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "certificate.json"
        started = time.perf_counter()
        outcomes = _written(given, decider, (tasks, forms), path)
        say("checked exactly, certificates and witnesses written", time.perf_counter() - started, "s", 5.0)
        say("certificate file", path.stat().st_size / 1e6, "MB")
        started = time.perf_counter()
        claims = check.check_file(path)
        say("certificate checked by the independent checker", time.perf_counter() - started, "s")
        say("properties without an accepted claim", total - len(claims), "properties", 0)
    pairs = zip(tasks, outcomes, strict=True)
    changed = sum(not task.stuck and (task.witness is None) != _holds(o) for task, o in pairs)
    say("verdicts changed by the exact check", changed, "verdicts", 0)
    for outcome in ("holds", "violated", "unknown"):
        say(f"verdict {outcome}", sum(o.verdict.outcome == outcome for o in outcomes), "properties")
    say("decided by the barrier method", sum(t.decided_by != "closed form" for t in tasks), "properties")
    say("plain strength predicate over a box", _plain(given, decider), "microseconds each", 5.0)
    scip = _scip(given, outcomes, sample)
    say(f"(a) SCIP, one model per property, scaled up from {sample}", *scip)
    slow, wrong, ties = _highs(given, outcomes)
    say("(b) HiGHS through scipy, one program per property", slow, "s")
    say("times faster than (b)", slow / seconds, "times")
    say("verdicts that differ from (b), ties apart", wrong, "verdicts", 0)
    say("ties at the tolerance of (b)", ties, "properties")
    return table


def _holds(outcome: Outcome) -> bool:
    return outcome.verdict.outcome == "holds"


def _settled(given: Setting, decider: Decider) -> tuple[list[Task], list[RegionForms]]:
    forms = [decider.forms(region) for region in given.regions]
    tasks = [new_task(job.table, decider.rows, region, None, job.formula) for job, region in given.jobs]
    batch.decide(tasks, forms, decider.rows, 4096)
    return tasks, forms


def _written(
    given: Setting, decider: Decider, decided: tuple[list[Task], list[RegionForms]], path: Path
) -> list[Outcome]:
    tasks, forms = decided
    provers = [decider.prover(each.region, each) for each in forms]
    outcomes = [provers[task.region_key].conclude(task) for task in tasks]
    claims: list[Claim] = []
    for (job, region), outcome in zip(given.jobs, outcomes, strict=True):
        claims.append(region_claim(job, given.regions[region], outcome))
    write_bundle(path, bundle(given.subject, claims))
    return outcomes


def _plain(given: Setting, decider: Decider) -> float:
    """Microseconds for one strength predicate of a class: verdict, margin and largest gamma, by closed form."""
    forms = [decider.forms(region) for region in given.regions]
    pairs = np.array([[a, b] for a in range(CONCEPTS) for b in range(CONCEPTS) if a != b]) + CLASSES
    spent = []
    for _ in range(5):
        started = time.perf_counter()
        for each in forms:
            strength_margins(each, pairs)
        spent.append(time.perf_counter() - started)
    return min(spent) / (len(forms) * len(pairs)) * 1e6


def _program(given: Setting, index: int) -> tuple[Float64, Float64, Float64, Float64, list[tuple[float, float]]]:
    """maximise objective . z + constant subject to rows z <= right within the box."""
    job, key = given.jobs[index]
    region, lens = given.regions[key], given.subject.lens.folded
    left, right = job.table[1][1:]
    objective = lens.weight[int(right)] - lens.weight[int(left)]
    constant = np.array(lens.offset[int(right)] - lens.offset[int(left)])
    head = given.subject.head.layers[0]
    others = [k for k in range(CLASSES) if k != key]
    rows_ = head.weight[others] - head.weight[key]
    limits = head.offset[key] - head.offset[others]
    reach = float(region.size) * region.factor
    box = list(zip((region.centre - reach).tolist(), (region.centre + reach).tolist(), strict=True))
    return objective, constant, rows_, limits, box


def _highs(given: Setting, outcomes: Sequence[Outcome]) -> tuple[float, int, int]:
    """Seconds, verdicts that differ, and ties, for HiGHS through scipy."""
    spent, wrong, ties = 0.0, 0, 0
    for index, outcome in enumerate(outcomes):
        objective, constant, rows_, limits, box = _program(given, index)
        started = time.perf_counter()
        answer = linprog(-objective, A_ub=rows_, b_ub=limits, bounds=box, method="highs")
        spent += time.perf_counter() - started
        best = -float(answer.fun or 0.0) + float(constant) if answer.status == 0 else -np.inf
        if abs(best) < TIE:
            ties += 1
        elif (best < 0) != _holds(outcome):
            wrong += 1
    return spent, wrong, ties


def _scip(given: Setting, outcomes: Sequence[Outcome], sample: int) -> tuple[float | None, str]:
    """Seconds for all properties, scaled up from a sample, or why it could not be measured."""
    try:
        from pyscipopt import Model, quicksum
    except ImportError:
        return None, "s (pip install 'conspect[scip]')"
    chosen = np.random.default_rng(0).choice(len(outcomes), size=sample, replace=False)
    started = time.perf_counter()
    for index in chosen.tolist():
        objective, constant, rows_, limits, box = _program(given, index)
        model: Any = Model()
        model.hideOutput()
        z = [model.addVar(lb=low, ub=high) for low, high in box]
        for line, limit in zip(rows_.tolist(), limits.tolist(), strict=True):
            model.addCons(quicksum(a * v for a, v in zip(line, z, strict=True)) <= limit)
        model.addCons(quicksum(a * v for a, v in zip(objective.tolist(), z, strict=True)) >= -float(constant))
        model.optimize()
    return (time.perf_counter() - started) * len(outcomes) / sample, "s"

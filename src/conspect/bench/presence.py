"""`hasCon` over regions that hold most images of a class: how often neither a proof nor a counterexample is found."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

from conspect.bench.rows import Row, row
from conspect.language.writing.printer import write_name
from conspect.statistics.intervals import wilson
from conspect.study import Study
from conspect.verification.queries.model import VerifyOptions

SHAPES, COVERAGES, PER_CELL, SEED = ("span", "band"), (50, 70, 90), 40, 77
FORMULAS = (
    "hasCon(x, {a})",
    "not hasCon(x, {a})",
    "predict(x, {c}) implies hasCon(x, {a})",
    "predict(x, {c}) implies not hasCon(x, {a})",
    "hasCon(x, {a}) or hasCon(x, {b})",
    "hasCon(x, {a}) implies {a} > {b}",
    "predict(x, {c}) implies (hasCon(x, {a}) implies not hasCon(x, {b}))",
)


def rows(folder: Path, *, per_cell: int = PER_CELL, seed: int = SEED) -> list[Row]:
    """Rows for the study in `folder`: the share left unknown by shape, of `per_cell` random properties for each coverage."""
    study = Study.open(folder)
    cells = list(product(SHAPES, COVERAGES))
    asked = list(_asked(study, cells, per_cell, seed))
    results = study.verify("\n".join(text for _, text in asked), VerifyOptions(search_gamma=False))
    measured: list[Row] = []
    for shape in SHAPES:
        outcomes = [r.verdict.outcome for (s, _), r in zip(asked, results, strict=True) if s == shape]
        unknown = outcomes.count("unknown")
        high = float(wilson(np.array([unknown]), np.array([len(outcomes)]))[1][0])
        what = f"unknown of {len(outcomes)} random hasCon properties over {shape} regions of {COVERAGES[0]} to {COVERAGES[-1]} %"
        measured.append(row(f"{what} (at most {high:.1%} with 95 %)", 100 * unknown / len(outcomes), "%", ("<=", 1.0)))
        measured.append(row(f"... of these proved, {shape}", 100 * outcomes.count("holds") / len(outcomes), "%"))
    return measured


def _asked(study: Study, cells: list[tuple[str, int]], per_cell: int, seed: int) -> Iterator[tuple[str, str]]:
    rng = np.random.default_rng(seed)
    inputs = study.inputs
    for number, (shape, coverage) in enumerate(cells * per_cell):
        c = write_name(str(rng.choice(inputs.model.class_names)))
        a, b = (write_name(str(name)) for name in rng.choice(inputs.concepts.names, 2, replace=False))
        formula = FORMULAS[int(rng.integers(len(FORMULAS)))].format(a=a, b=b, c=c)
        yield (
            shape,
            f"property p{number}:\n    for all x in focus({c}, coverage = {coverage}%, shape = {shape}):\n        {formula}\n",
        )

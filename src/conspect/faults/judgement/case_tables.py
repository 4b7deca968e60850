"""The evidence that weights are fitted on as two small files: a CSV with a row for each case, and some failures of each.

They are in the repository, so that anybody can fit the weights again, to the last digit, without planting a fault.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.blame import MOST_ODDS, PARTS, BlameWeights, DiagnosisTable, fit_blame
from conspect.analysis.diagnosis.evidence import FEATURES
from conspect.analysis.diagnosis.weighing import SUSPECTS, Suspect
from conspect.core.files import replacing, write_atomically
from conspect.core.spaces import Float64
from conspect.faults.judgement.case_evidence import CaseEvidence, weights_of
from conspect.faults.judgement.judging import JudgedCase
from conspect.faults.planting.cases import Part, Series

# Failures of each case that are written down, drawn with this seed; steps that log-odds are rounded to; decimals of the rest.
FAILURES, SEED, STEPS, DECIMALS = 40, 0, 20, 5
ABOUT = ("network", "kind", "series", "part", "drop", "traced", "too_close")


@dataclass(frozen=True, eq=False)
class Failures:
    """Some failures of cases in which the head or the encoder is broken.

    `case [failure]`: the row of its case in the table; `new [failure]`: whether the sound network does not have it; `odds
    [failure, sign]`, in the order of `SIGNS`.
    """

    case: NDArray[np.int64]
    new: NDArray[np.bool_]
    odds: Float64


def failures_of(cases: Sequence[JudgedCase]) -> Failures:
    """Of each case with a broken head or encoder at most `FAILURES` failures, as they come."""
    rng = np.random.default_rng(SEED)
    case, new, odds = [], [], []
    for number, judged in enumerate(cases):
        if judged.part not in {Part.HEAD, Part.ENCODER}:
            continue
        rows = np.sort(rng.permutation(np.flatnonzero(judged.new | judged.old))[:FAILURES])
        case.append(np.full(len(rows), number))
        new.append(judged.new[rows])
        odds.append(np.rint(STEPS * judged.images.signs[rows]) / STEPS)
    return Failures(np.concatenate(case), np.concatenate(new), np.concatenate(odds))


def blame_of(
    cases: Sequence[CaseEvidence], failures: Failures, chosen: NDArray[np.bool_] | None = None
) -> BlameWeights:
    """Weights of the signs, fitted on the failures of the `chosen [case]` (default: all)."""
    use = np.ones(len(cases), dtype=bool) if chosen is None else chosen
    of_part = [np.array([case.part is part for case in cases]) & use for part in (Part.HEAD, Part.ENCODER)]
    assert PARTS == (Suspect.HEAD, Suspect.ENCODER)
    head, encoder = (np.flatnonzero(part[failures.case]) for part in of_part)
    signs, new = failures.odds, failures.new
    return fit_blame((signs[head], signs[encoder]), (new[head], new[encoder]))


def table_of(cases: Sequence[CaseEvidence], failures: Failures) -> DiagnosisTable:
    """The weights that ship, fitted on all of it."""
    return DiagnosisTable(weights_of(cases).table(), blame_of(cases, failures).table())


def write_cases(path: Path, cases: Sequence[CaseEvidence]) -> None:
    """A line for each case."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    orders = [f"order: {suspect.value}" for suspect in SUSPECTS]
    rows.writerow([*ABOUT, *orders, *FEATURES, *(f"reported: {name}" for name in FEATURES)])
    rows.writerows([*_cells(case)] for case in cases)
    write_atomically(path, text.getvalue().encode())


def _cells(case: CaseEvidence) -> Iterator[str]:
    yield from (case.network, case.kind, case.series.value, case.part.value, f"{case.drop:.4f}")
    yield from (str(int(case.traced)), str(int(case.too_close)))
    yield from (
        "" if case.order is None else _number(chance) for chance in (case.order if case.order is not None else SUSPECTS)
    )
    yield from (_number(value) for value in (*case.blind, *case.reported))


def _number(value: object) -> str:
    return f"{float(value):.{DECIMALS}f}".rstrip("0").rstrip(".")  # type: ignore[arg-type]


def read_cases(path: Path) -> list[CaseEvidence]:
    """What `write_cases` wrote. Raises ValueError for evidence of other features."""
    header, *lines = csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
    first = len(ABOUT) + len(SUSPECTS)
    if tuple(header[first : first + len(FEATURES)]) != FEATURES:
        raise ValueError(f"{path} holds other evidence; run training/fit_diagnosis.py collect and record")
    return [_case(line) for line in lines]


def _case(line: Sequence[str]) -> CaseEvidence:
    about, orders, numbers = (
        line[: len(ABOUT)],
        line[len(ABOUT) : len(ABOUT) + len(SUSPECTS)],
        np.array(line[len(ABOUT) + len(SUSPECTS) :], dtype=np.float64),
    )
    network, kind, series, part, drop, traced, too_close = about
    blind, known = np.split(numbers, 2)
    return CaseEvidence(
        network=network,
        kind=kind,
        part=Part(part),
        drop=float(drop),
        series=Series(series),
        traced=traced == "1",
        blind=blind,
        reported=known,
        too_close=too_close == "1",
        order=None if not orders[0] else np.array(orders, dtype=np.float64),
    )


def write_failures(path: Path, failures: Failures) -> None:
    """Small integers, packed."""
    steps = np.rint(STEPS * failures.odds).astype(np.int16)
    assert np.abs(steps).max() <= STEPS * MOST_ODDS
    with replacing(path) as file:
        np.savez_compressed(
            file, allow_pickle=False, case=failures.case.astype(np.int16), new=failures.new, steps=steps.astype(np.int8)
        )


def read_failures(path: Path) -> Failures:
    """What `write_failures` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        return Failures(
            stored["case"].astype(np.int64), stored["new"].astype(bool), stored["steps"].astype(np.float64) / STEPS
        )

"""The weights that ship come out of the two tables in the repository, and the tables keep what they are given."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conspect.analysis.diagnosis.blame import SIGNS
from conspect.analysis.diagnosis.evidence import FEATURES
from conspect.analysis.diagnosis.weighing import SUSPECTS
from conspect.faults.judgement import case_tables
from conspect.faults.judgement.case_evidence import CaseEvidence
from conspect.faults.planting.cases import Part, Series

ROOT = Path(__file__).resolve().parents[2]
TRAINING, WEIGHTS = ROOT / "training", ROOT / "src/conspect/assets/diagnosis.json"


def case(seed: int, **changed: Any) -> CaseEvidence:
    rng = np.random.default_rng(seed)
    blind = rng.random(len(FEATURES)).round(5)
    plain = CaseEvidence(
        "a network", f"kind, {seed}", Part.HEAD, 0.06, Series.SECOND, True, blind, blind + 1, False, None
    )
    return replace(plain, **changed)


def test_the_weights_that_ship_come_out_of_the_tables_to_the_last_digit() -> None:
    table = case_tables.table_of(
        case_tables.read_cases(TRAINING / "diagnosis_cases.csv"),
        case_tables.read_failures(TRAINING / "diagnosis_failures.npz"),
    )
    assert json.dumps(asdict(table), indent=1) + "\n" == WEIGHTS.read_text(encoding="utf-8")


def test_cases_survive_their_table(tmp_path) -> None:
    order = np.array([0.9, 0.025, 0.025, 0.025, 0.025])
    given = [case(0), case(1, order=order, traced=False, part=Part.INPUT), case(2, too_close=True)]
    case_tables.write_cases(tmp_path / "cases.csv", given)
    again = case_tables.read_cases(tmp_path / "cases.csv")
    assert [(c.network, c.kind, c.part, c.series, c.traced, c.too_close) for c in again] == [
        (c.network, c.kind, c.part, c.series, c.traced, c.too_close) for c in given
    ]
    assert np.array([c.blind for c in again]) == pytest.approx(np.array([c.blind for c in given]), abs=1e-5)
    assert np.array([c.reported for c in again]) == pytest.approx(np.array([c.reported for c in given]), abs=1e-5)
    assert [None if c.order is None else c.order.tolist() for c in again] == [None, order.tolist(), None]
    assert len(order) == len(SUSPECTS)


def test_a_table_of_other_evidence_is_refused(tmp_path) -> None:
    path = tmp_path / "cases.csv"
    case_tables.write_cases(path, [case(0)])
    path.write_text(path.read_text(encoding="utf-8").replace(FEATURES[0], "something else"), encoding="utf-8")
    with pytest.raises(ValueError, match="other evidence"):
        case_tables.read_cases(path)


def test_failures_survive_their_file(tmp_path) -> None:
    failures = case_tables.Failures(
        np.array([0, 1, 1]),
        np.array([True, False, True]),
        np.array([[6.0, -6.0], [1.0, 0.05], [0.0, -0.45]]),
    )
    case_tables.write_failures(tmp_path / "failures.npz", failures)
    again = case_tables.read_failures(tmp_path / "failures.npz")
    assert again.case.tolist() == [0, 1, 1]
    assert again.new.tolist() == [True, False, True]
    assert again.odds == pytest.approx(failures.odds)
    assert again.odds.shape == (3, len(SIGNS))

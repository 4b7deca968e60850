"""`conspect monitor fit` and `eval`, on fakes: which images are learned from, and what the results say."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from conspect.cli.main import main
from conspect.core.concepts import Concept
from conspect.core.diagnostics import UserError
from conspect.monitor.evaluation import LOOKED_BASELINE
from conspect.monitor.runtime import Monitor
from conspect.monitor.runtime.guarantee import TargetRates
from conspect.report.monitor_wording import sentences, tables
from conspect.results.monitor import MonitorEvaluation
from conspect.statistics.detection import Score, measure
from conspect.study import Study, StudyConfig, StudyInputs
from conspect.study.config import read_config
from conspect.study.inputs import demo_or_own_concepts
from conspect.study.monitor.evaluation import curve
from conspect.study.monitor.fitting import rates_of
from conspect.study.monitor.sizes import sizes_of
from conspect.study.monitor.splits import measure_splits
from conspect.study.recording.concepts import concept_scores
from tests.fakes import CLASSES, FakeModel, FakeVlm
from tests.records import plain
from tests.study.monitored import CONFIG, noisy_colours


@pytest.fixture(scope="module")
def concepts(pristine):
    own = demo_or_own_concepts(read_config(pristine / "study.toml"), pristine)
    return replace(own, concepts=(*own.concepts, Concept("no green", ("no green",))))


@pytest.fixture(scope="module")
def study(tmp_path_factory, concepts) -> Study:
    model, vlm = FakeModel(), FakeVlm()
    inputs = StudyInputs(
        noisy_colours(200, 1), noisy_colours(400, 2), model, vlm, concepts, None, noisy_colours(700, 3)
    )
    return Study(tmp_path_factory.mktemp("monitored"), StudyConfig(monitor=CONFIG), inputs)


@pytest.fixture(scope="module")
def evaluation(study: Study) -> MonitorEvaluation:
    return study.evaluate_monitor()


@pytest.fixture(scope="module")
def results(evaluation: MonitorEvaluation) -> dict:
    return plain(evaluation)


def test_no_image_is_in_two_splits_and_those_reported_on_are_the_studys(study: Study, concepts, tmp_path) -> None:
    for held_out in (study.inputs.held_out, None):
        inputs = StudyInputs(  # type: ignore[call-arg]
            *(getattr(study.inputs, name) for name in ("train", "test", "model", "vlm")), concepts, None, held_out
        )
        splits = measure_splits(
            sizes_of(CONFIG, 200), inputs, study.measurements(), tmp_path, seed=0, bar=lambda _, __: lambda ___: None
        )
        parts = [set(split.dataset.ids) for split in (splits.fit, splits.calibration, splits.report)]
        assert sum(map(len, parts)) == len(set.union(*parts))
        if held_out is None:
            assert (splits.source, [len(part) for part in parts]) == ("split", [160, 80, 160])
            assert set.union(*parts) == set(study.inputs.test.ids)
        else:
            assert (splits.source, [len(part) for part in parts]) == ("held-out", [300, 300, 400])
            assert parts[2] == set(study.inputs.test.ids)
            assert splits.fit.witnessed is not None
            assert len(splits.fit.witnessed.strengths) == 200
        for split in (splits.fit, splits.calibration, splits.report):
            again = FakeModel().embed(np.stack([FakeModel().prepare(split.dataset.image(k)) for k in range(20)]))
            assert again == pytest.approx(split.inputs.embeddings[:20])
            assert split.labels.tolist() == split.dataset.labels.tolist()


def test_the_results_hold_every_detector(results: dict) -> None:
    assert results["splits"]["report"]["images"] == 400
    rows = results["rows"]
    assert {row["kind"] for row in rows} == {"paper", "conspect", "conspect+vlm", "baseline"}
    # A class without training images has no Mahalanobis distance.
    assert "Mahalanobis" not in {row["detector"] for row in rows}
    for row in rows:
        assert row["auroc_low"] <= row["auroc"] <= row["auroc_high"]
    for row in [row for row in rows if row["defect"] == "misclassification"]:
        assert row["n_pos"] == results["splits"]["report"]["wrong"]
        assert row["n_pos"] + row["n_neg"] == 400


def test_defects_beside_misclassifications_are_compared_and_what_is_left_out_is_named(results: dict) -> None:
    counted = {row["defect"]: (row["n_pos"], row["n_neg"]) for row in results["rows"]}
    right = results["splits"]["report"]["images"] - results["splits"]["report"]["wrong"]
    assert counted["no class: uniform noise"] == (12, right)
    assert all(sum(counted[f"misclassified under corruption {strength}"]) == 45 for strength in (1, 5))
    assert (
        results["left_out"]["attacks"] == results["left_out"]["attacks to learn from"] == "the model gives no gradients"
    )
    assert (results["taught"], results["attacks"], results["adversarial_localization"]) == (0, [], [])


def test_the_second_look_is_compared_with_softmax_that_looks_as_often(results: dict) -> None:
    beaten = {
        difference["baseline"]
        for difference in results["differences"]
        if (difference["defect"], difference["metric"]) == ("misclassification", "auroc")
    }
    assert LOOKED_BASELINE in beaten
    assert results["chosen"]["baseline"] != LOOKED_BASELINE
    assert results["kept_second_look"]["accepted"]["value"] > 0


def test_a_run_with_too_few_failures_says_that_the_monitor_is_left_out(finished: Study, tmp_path: Path) -> None:
    config = replace(finished.config, monitor=CONFIG)
    results = Study(tmp_path, config, finished.inputs).run()
    assert results.monitor is None
    assert "wrong" in str(results.monitor_left_out)


def test_flagged_inputs_are_wrong_outputs_with_reasons(results: dict, study: Study) -> None:
    truth = dict(zip(study.measurements().ids, study.measurements().labels, strict=True))
    assert results["flagged"]
    for flagged in results["flagged"]:
        assert CLASSES[truth[flagged["id"]]] == flagged["label"] != flagged["output"]
        assert flagged["verdict"] == "suspect"
        assert all(reason["among_wrong"] > reason["among_right"] for reason in flagged["reasons"])


def test_a_studys_monitor_gives_no_reason_in_concepts_that_are_graded_not_seen(
    study: Study, evaluation: MonitorEvaluation
) -> None:
    scores = concept_scores(study.inputs, study.measurements()).concepts
    not_seen = {concept.name for concept in scores if concept.grade == "not seen"}
    assert "no green" in not_seen
    assert set(Monitor.load(study.folder / "monitor").silent) >= not_seen
    named = {reason.stronger for flagged in evaluation.flagged for reason in flagged.reasons}
    assert not named & not_seen


def test_a_studys_monitor_gives_reasons_that_name_what_the_outputs_class_shows(
    study: Study, evaluation: MonitorEvaluation
) -> None:
    own = dict(zip(CLASSES, Monitor.load(study.folder / "monitor").own, strict=True))
    table = {"red": {"reddish"}, "green": {"greenish"}, "blue": {"bluish"}, "yellow": set[str]()}
    assert {name: set(shown) - {"no green"} for name, shown in own.items()} == table
    pairs = [(own[flagged.output], reason) for flagged in evaluation.flagged for reason in flagged.reasons]
    assert all(reason.weaker in names for names, reason in pairs)


def test_a_curve_passes_through_its_ends_and_its_area_is_the_auroc() -> None:
    rng = np.random.default_rng(0)
    wrong = rng.random(2000) < 0.2
    score = Score(wrong + rng.normal(size=2000), "suspect")
    curves = curve("misclassification", "entropy", score, wrong)
    x, y = np.array(curves.roc).T
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(y, x) == pytest.approx(measure(score, wrong)["auroc"], abs=0.01)
    coverage, risk = np.array(curves.risk_coverage).T
    assert (coverage[-1], risk[-1]) == (1, pytest.approx(wrong.mean(), abs=1e-5))
    assert len(curves.roc) <= 62


def test_the_command_fits_writes_and_compares(study: Study, results: dict, monkeypatch) -> None:
    monkeypatch.setattr(Study, "open", classmethod(lambda cls, folder, **_: study))
    done = CliRunner().invoke(main, ["monitor", "fit", "--study", str(study.folder), "--false-alarms", "0.2"])
    assert done.exit_code == 0, done.output
    assert "at most 20% of the right outputs are called suspect" in done.stdout
    assert Monitor.load(study.monitor_folder).class_names == CLASSES
    assert rates_of(study.monitor_folder) == TargetRates(0.2, 0.1, 0.95)
    done = CliRunner().invoke(main, ["monitor", "eval", "--study", str(study.folder), "--json"])
    printed = json.loads(done.stdout)
    assert printed["guarantee"]["wanted"]["false_alarms"] == 0.2
    assert printed["rows"] == json.loads(json.dumps(results["rows"]))


def test_an_evaluation_is_kept_until_what_it_is_made_of_changes(study: Study, results: dict, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("fitted anew")

    again = Study(study.folder, study.config, study.inputs)
    first = again.evaluate_monitor()
    monkeypatch.setattr(again, "fit_monitor", refuse)
    assert again.evaluate_monitor() == first
    other = Study(study.folder, replace(study.config, monitor=replace(CONFIG, corrupted=9)), study.inputs)
    monkeypatch.setattr(other, "fit_monitor", refuse)
    with pytest.raises(AssertionError, match="fitted anew"):
        other.evaluate_monitor()


def test_the_tables_mark_the_best_and_the_sentences_say_when_an_interval_holds_zero(
    results: dict, evaluation: MonitorEvaluation
) -> None:
    lines = tables(evaluation)
    best = max(results["rows"], key=lambda row: row["auroc"])
    (marked,) = [line for line in lines if f"{best['auroc']:7.4f}*" in line and line.startswith(best["detector"])]
    assert marked
    text = sentences(evaluation)
    told = [d for d in results["differences"] if (d["defect"], d["metric"]) == ("misclassification", "auroc")]
    assert 1 <= len(told) <= len(text)
    for difference, line in zip(told, text, strict=False):
        assert ("holds 0" in line) == (difference["low"] <= 0 <= difference["high"])


def test_too_few_images_are_an_error_that_says_so(finished: Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"MONITOR00[23]"):
        Study(tmp_path, StudyConfig(), finished.inputs).fit_monitor()

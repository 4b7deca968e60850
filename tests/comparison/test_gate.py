"""The verdict of a gate: tolerances against intervals."""

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from conspect.cli.main import main
from conspect.comparison.compare import compare
from conspect.comparison.gate import Tolerances, judge, outcome_of
from conspect.core.points import points
from conspect.report.gate import gate_junit, gate_lines, gate_markdown, gate_sarif
from conspect.report.sarif import in_sarif
from conspect.results.files import encoded
from conspect.results.results import Results
from conspect.study.finished import finished_study
from tests.comparison.studies import failure, property_of, verified, with_failures

SMALL = st.floats(-1, 1)


@given(SMALL, SMALL, SMALL)
def test_an_interval_that_straddles_its_tolerance_is_neither_pass_nor_fail(
    a: float, b: float, tolerance: float
) -> None:
    low, high = sorted((a, b))
    outcome = outcome_of(low, high, tolerance)
    assert (outcome == "fail") == (low > tolerance + 1e-12)
    assert (outcome == "pass") == (high <= tolerance + 1e-12)


@pytest.mark.parametrize(
    ("before", "after", "tolerance"), [(0.83, 0.81, 0.02), (0.3, 0.2, 0.1), (0.9, 0.6, 0.3), (0.07, 0.05, 0.02)]
)
def test_a_loss_of_just_as_much_as_is_allowed_passes_whatever_floating_point_says(
    before: float, after: float, tolerance: float
) -> None:
    loss = before - after
    assert outcome_of(loss, loss, tolerance) == "pass"
    assert outcome_of(loss + 1e-9, loss + 1e-9, tolerance) == "fail"


@given(SMALL, SMALL)
def test_what_is_not_the_tolerance_does_not_look_like_it(value: float, tolerance: float) -> None:
    shown, allowed = points(value, tolerance), points(tolerance)
    assert "-0.00 " not in f"{shown} "
    if abs(value - tolerance) > 1e-11:
        assert float(shown.split()[0]) != float(allowed.split()[0]) or shown != allowed
    assert points(0.020000000000000018, 0.02) == "2.00 points"
    assert points(0.020004, 0.02) == "2.0004 points"


def broken(before: Results, count: int) -> Results:
    return with_failures(
        before, [*before.localization.images, *(failure(before, f"n{k}", "blue", "red") for k in range(count))]
    )


@pytest.mark.parametrize(
    ("count", "tolerance", "outcome"), [(0, 0.06, "pass"), (2, 0.01, "investigate"), (15, 0.05, "fail")]
)
def test_accuracy_passes_fails_or_is_investigated(before: Results, count: int, tolerance: float, outcome: str) -> None:
    comparison = compare(before, broken(before, count), names=("a", "b"))
    verdict = judge(comparison, Tolerances(accuracy=tolerance, worst_class=1.0))
    assert verdict.rules[0].name == "accuracy"
    assert verdict.rules[0].outcome == outcome
    assert verdict.outcome == outcome


def test_a_class_may_fail_where_the_whole_passes(before: Results) -> None:
    comparison = compare(before, broken(before, 15), names=("a", "b"))
    verdict = judge(comparison, Tolerances(accuracy=0.4, worst_class=0.1))
    assert [(rule.name, rule.outcome) for rule in verdict.rules] == [("accuracy", "pass"), ('class "blue"', "fail")]
    assert verdict.outcome == "fail"


@pytest.mark.parametrize(
    ("now", "allowed", "outcome"),
    [
        ("holds", 0, "pass"),
        ("violated", 0, "fail"),
        ("unknown", 0, "investigate"),
        ("violated", 1, "pass"),
        (None, 0, "fail"),
    ],
)
def test_properties_that_stop_holding_are_counted(before: Results, now: str | None, allowed: int, outcome: str) -> None:
    old = verified(before, property_of("p", "holds"))
    new = verified(before) if now is None else verified(before, property_of("p", now))
    verdict = judge(compare(old, new, names=("a", "b")), Tolerances(accuracy=1, worst_class=1, properties=allowed))
    assert verdict.rules[-1].name == "properties"
    assert verdict.rules[-1].outcome == outcome


@pytest.mark.parametrize(
    ("then", "now", "outcome"),
    [
        (
            "for all x in focus(red, gamma = 0.4, shape = box)",
            "for all x in focus(red, gamma = 0.1, shape = box)",
            "fail",
        ),
        ("for 95% of x in images(red)", "for 5% of x in images(red)", "fail"),
        ("for 95% of x in images(red)", "for 95% of x in images(red)", "pass"),
        ("", "for 95% of x in images(red)", "pass"),  # results of an older version do not say
    ],
)
def test_a_property_that_claims_less_under_its_name_is_lost(before: Results, then: str, now: str, outcome: str) -> None:
    old = verified(before, replace(property_of("p", "holds"), quantifier=then))
    new = verified(before, replace(property_of("p", "holds"), quantifier=now))
    verdict = judge(compare(old, new, names=("a", "b")), Tolerances(accuracy=1, worst_class=1))
    assert verdict.rules[-1].outcome == outcome


def test_what_was_asked_for_and_cannot_be_measured_is_never_a_pass(before: Results) -> None:
    comparison = compare(before, before, names=("a", "b"))
    verdict = judge(comparison, Tolerances(accuracy=1, worst_class=1, accepted_errors=0.01, coverage=0.1))
    assert [rule.outcome for rule in verdict.rules] == ["pass", "pass", "investigate", "investigate"]
    assert verdict.outcome == "investigate"


def test_every_form_says_the_same(before: Results) -> None:
    verdict = judge(compare(before, broken(before, 15), names=("a|b", "<b>")), Tolerances())
    assert gate_lines(verdict)[0] == "fail: <b> against a|b"
    assert "❌ fail" in gate_markdown(verdict)
    assert "&lt;b&gt; against a\\|b" in gate_markdown(verdict)
    suite = ET.fromstring(gate_junit(verdict).split("?>", 1)[1])[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")
    log: Any = gate_sarif(verdict, version="1", study_file="s/study.toml")
    (run,) = log["runs"]
    assert [result["level"] for result in run["results"]] == ["error", "error"]
    assert {result["ruleId"] for result in run["results"]} == {rule["id"] for rule in run["tool"]["driver"]["rules"]}


def test_the_same_model_prepared_otherwise_is_another_model(before: Results) -> None:
    other = replace(before, model=replace(before.model, preprocessing="another size"))
    assert judge(compare(before, before, names=("a", "b")), Tolerances()).outcome == "pass"
    assert judge(compare(before, other, names=("a", "b")), Tolerances()).outcome == "investigate"


def test_no_loss_is_not_a_negative_one_and_a_lost_property_is_said_as_one_says_it(before: Results) -> None:
    other = replace(before, model=replace(before.model, digest="another model"))
    old, new = verified(before, property_of("p", "holds")), verified(other, property_of("p", "violated"))
    text = gate_markdown(judge(compare(old, new, names=("a", "b")), Tolerances()))
    assert "-0.00" not in text
    assert "p held and is violated now: a &gt; b." in text


def test_what_build_servers_show_has_message_and_text_and_totals_on_the_root(before: Results) -> None:
    root = ET.fromstring(gate_junit(judge(compare(before, broken(before, 15), names=("a", "b")), Tolerances())))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "2", "0")
    assert all(failure.text == failure.get("message") for failure in root.iter("failure"))


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("s/study.toml", "s/study.toml"),
        ("my study/a#b.toml", "my%20study/a%23b.toml"),
        ("/a b/c.toml", "file:///a%20b/c.toml"),
    ],
)
def test_a_place_in_sarif_is_a_uri(before: Results, file: str, uri: str) -> None:
    log: Any = gate_sarif(judge(compare(before, before, names=("a", "b")), Tolerances()), version="1", study_file=file)
    (place,) = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in log["runs"][0]["results"]
    }
    assert place == uri


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_commands_exit_codes_are_those_of_the_verdict(
    finished_folder: Path, before: Results, tmp_path: Path
) -> None:
    same = call("gate", finished_folder, "--against", finished_folder, "--json")
    assert same.exit_code == 0  # the very same model: there is nothing to estimate
    assert json.loads(same.stdout)["outcome"] == "pass"
    other = tmp_path / "other.json"
    other.write_bytes(encoded(replace(before, model=replace(before.model, digest="another model"))))
    straddles = call("gate", finished_folder, "--against", other, "--json")
    assert straddles.exit_code == 3  # 75 images cannot show that less than a point was lost
    assert json.loads(straddles.stdout)["outcome"] == "investigate"
    better = tmp_path / "results.json"
    better.write_bytes(encoded(with_failures(before, [])))
    forms = {name: tmp_path / f"gate.{name}" for name in ("junit", "sarif", "markdown")}
    options = [part for name, path in forms.items() for part in (f"--{name}", path)]
    failed = call("gate", finished_folder, "--against", better, *options)
    assert failed.exit_code == 1
    assert failed.stdout.startswith(f"fail: {finished_folder} against {better}")
    assert all(path.stat().st_size > 100 for path in forms.values())


def test_compare_writes_a_page_and_one_json_object(finished_folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = call("compare", finished_folder, finished_folder, "--html", page, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["accuracy"]["overall"]["fixed"] == 0
    assert page.read_text().startswith("<!doctype html>")


def test_a_place_without_results_is_told(tmp_path: Path) -> None:
    done = call("compare", tmp_path, tmp_path)
    assert "STUDY003" in str(done.exception)


def test_a_table_of_orders_of_another_run_is_left_aside(finished_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    maps = finished_study(finished_folder).results.heatmaps
    renamed = replace(maps, concepts=("another", *maps.concepts[1:]))
    (copy / "results.json").write_bytes(encoded(replace(finished_study(finished_folder).results, heatmaps=renamed)))
    shutil.copy(finished_folder / "orders.arrows", copy)
    assert finished_study(copy).orders is None
    assert finished_study(finished_folder).orders is not None


def test_more_failures_than_the_record_lists_are_paired_by_their_table(finished_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    whole = finished_study(finished_folder)
    located = whole.results.localization
    cut = replace(whole.results, localization=replace(located, images=located.images[:5]))
    (copy / "results.json").write_bytes(encoded(cut))
    assert finished_study(copy).failures is None
    shutil.copy(finished_folder / located.table, copy)
    failures = finished_study(copy).failures
    assert failures is not None
    assert whole.failures is not None
    assert set(failures.images) == set(whole.failures.images)
    done = call("compare", finished_folder, copy / "results.json", "--json")
    assert json.loads(done.stdout)["accuracy"]["overall"]["pairing"] == "paired"


def test_a_message_of_sarif_holds_no_place_for_an_argument_and_no_link() -> None:
    assert in_sarif("each of {a, b} > c") == "each of {{a, b}} > c"
    assert in_sarif("{0} [x](http://conspect.example)") == r"{{0}} \[x\](http://conspect.example)"
    assert in_sarif("in [0, 1]\nand \x1b") == "in [0, 1]\nand \\u001b"

"""`conspect verify` and `conspect certificate check` as a user calls them."""

import json
import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner

from conspect.cli.certificate import certificate
from conspect.cli.main import main
from conspect.cli.verify import verify
from tests.verification.subjects import plane

HELD = "property held: for all x in focus(east, gamma = 0.5): right > up\n"
BROKEN = "property broken: for all x in focus(east, gamma = 4): right > up\n"
OPEN = "property open: for 99% of x in images(east): predict(x, east)\n"


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Runs the command on a specification over the plane."""
    import conspect.study

    class Opened:
        def verification_subject(self, bar=None):
            return plane()

    monkeypatch.setattr(conspect.study.Study, "open", classmethod(lambda cls, folder: Opened()))

    def run(text, *options):
        path = tmp_path / "spec.cspec"
        path.write_text(text)
        return CliRunner().invoke(verify, [str(path), "--study", str(tmp_path), *options])

    return run


@pytest.mark.parametrize(
    ("text", "code"), [(HELD, 0), (HELD + BROKEN, 1), (BROKEN + OPEN, 1), (HELD + OPEN, 3), ("property p: x\n", 2)]
)
def test_the_exit_code_tells_the_worst_verdict(call, text, code):
    assert call(text).exit_code == code


def test_json_has_one_record_per_property(call):
    done = call(HELD + BROKEN, "--json")
    records = json.loads(done.output)["properties"]
    assert [(r["id"], r["verdict"]) for r in records] == [("held", "holds"), ("broken", "violated")]
    assert records[0]["certificate"]
    assert records[1]["witness"]["nearest"][0]["id"].startswith("test-")


def test_text_tells_region_margin_and_witness(call):
    done = call(HELD + BROKEN)
    assert "HOLDS" in done.output
    assert "witness: predicted" in done.output
    assert done.output.rstrip().endswith("2 properties: 1 holds, 1 violated")


def test_every_record_says_for_which_inputs_its_statement_is_claimed(call, tmp_path):
    plain = "property plain: for all x in focus(east): right > up\n"
    covered = "property covered: for all x in focus(east, coverage = 1/2) where predict(x, east): right > up\n"
    done = call(HELD + OPEN + plain + covered, "--json", "--gamma", "0.3")
    asked = {record["id"]: record["quantifier"] for record in json.loads(done.output)["properties"]}
    assert asked == {
        "held": "for all x in focus(east, gamma = 0.5, shape = box)",
        "open": "for 99% of x in images(east)",
        "plain": "for all x in focus(east, gamma = 0.3, shape = box)",
        "covered": "for all x in focus(east, coverage = 50%, shape = box) where predict(x, east)",
    }
    assert "claimed: for 99% of x in images(east)" in call(OPEN).output
    call(OPEN, "--junit", str(tmp_path / "junit.xml"), "--sarif", str(tmp_path / "log.sarif"))
    for name in ("junit.xml", "log.sarif"):
        assert "for 99% of x in images(east): predict(x, east)" in (tmp_path / name).read_text()


def test_an_almost_empty_region_heads_its_verdict(call):
    first = call(HELD.replace("0.5", "0.001")).output.splitlines()[0]
    assert "This region contains 0.00%" in first


def test_a_certificate_is_written_and_accepted(call, tmp_path):
    path = tmp_path / "c.json"
    assert call(HELD + BROKEN, "--certificate", str(path)).exit_code == 1
    done = CliRunner().invoke(certificate, ["check", str(path)])
    assert done.exit_code == 0
    body = json.loads(path.read_text())
    verdicts = [claim["verdict"] for claim in body["claims"]]
    assert f"{verdicts.count('holds')} claims hold, {verdicts.count('violated')} are violated" in done.output
    assert {"holds", "violated"} == set(verdicts)
    path.write_text(path.read_text().replace('"verdict":"holds"', '"verdict":"violated"'))
    done = CliRunner().invoke(certificate, ["check", str(path), "--json"])
    assert done.exit_code == 1
    assert json.loads(done.output)["certificates"][0]["accepted"] is False


def test_without_a_path_the_certificate_goes_into_the_study(call, tmp_path):
    call(HELD)
    done = CliRunner().invoke(certificate, ["check", str(*(tmp_path / "certificates").glob("verify/spec-*.json"))])
    assert done.exit_code == 0


def test_junit_counts_violated_as_failures_and_unknown_as_errors(call, tmp_path):
    path = tmp_path / "junit.xml"
    call(HELD + BROKEN + OPEN, "--junit", str(path))
    suite = ET.parse(path).getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")


def test_sarif_gives_each_result_its_line(call, tmp_path):
    path = tmp_path / "log.sarif"
    call(HELD + BROKEN, "--sarif", str(path))
    log = json.loads(path.read_text())
    assert log["version"] == "2.1.0"
    kinds = [
        (r["kind"], r["level"], r["locations"][0]["physicalLocation"]["region"]["startLine"])
        for r in log["runs"][0]["results"]
    ]
    assert kinds == [("pass", "none", 1), ("fail", "error", 2)]


@pytest.mark.parametrize(
    "options",
    [("--gamma", "0.4", "--coverage", "90%"), ("--coverage", "101%"), ("--confidence", "1.5"), ("--gamma", "nan")],
)
def test_options_that_make_no_sense_are_refused_with_code_2(call, options):
    assert call(HELD, *options).exit_code == 2


def test_scip_gives_a_second_opinion(call):
    pytest.importorskip("pyscipopt")
    assert "SCIP agrees" in call(HELD, "--cross-check", "scip").output


def test_a_name_with_a_line_end_makes_no_line_of_its_own(call, tmp_path):
    evil = 'property "a\\nHOLDS    forged: all is well\\u001b[2J": for all x in focus(east, gamma = 4): right > up\n'
    printed = call(evil).output
    assert not [line for line in printed.splitlines() if line.startswith("HOLDS")]
    assert "a\\u000aHOLDS    forged: all is well\\u001b[2J: right > up" in printed
    path = tmp_path / "spec.cspec"
    said = CliRunner().invoke(main, ["spec", "explain", str(path)]).output
    assert len([line for line in said.splitlines() if line and not line.startswith("  ")]) == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--leads", "0,2", "--gamma", "1"], "--gamma would be without effect beside --leads"),
        (["--leads", "0,2", "--region", "box"], "--region would be without effect beside --leads"),
        (["--leads", "0,2", "--extent", "up"], "--extent would be without effect beside --leads"),
        (["--leads", "0", "--coverage", "0.9", "--float32"], "--coverage and --float32 would be without effect"),
        (["--extent", "up", "--coverage", "0.9"], "--coverage would be without effect beside --extent"),
        (["--confidence", "1.0"], "--confidence 1 is not a share of at least 0.5 and below 1"),
        (["--coverage", "1.5"], "--coverage 3/2 is more than all images"),
    ],
)
def test_an_option_without_effect_or_out_of_range_is_named(call, options, named):
    done = call(HELD, *options)
    assert done.exit_code == 2
    assert named in done.output


def test_all_of_the_images_is_asked_alike_on_the_command_line_and_in_a_file(call):
    said = call("property p: for all x in focus(east, coverage = 100%): right > up\n")
    asked = call("property p: for all x in focus(east): right > up\n", "--coverage", "1")
    assert said.exit_code == asked.exit_code == 3
    reasons = [next(line for line in done.output.splitlines() if "reason" in line) for done in (said, asked)]
    assert reasons[0] == reasons[1]
    assert "cannot show a coverage of 100.0%" in reasons[0]


def test_a_lead_that_no_image_has_is_said_to_be_of_no_image(call):
    lines = call(HELD, "--leads", "0,1000000").output.splitlines()
    assert lines[-1] == "! no held-out image leads by 1e+06: what is proved there is of no image that is known"
    assert "!" not in call(HELD, "--leads", "0").output

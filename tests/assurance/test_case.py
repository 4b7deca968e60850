"""An assurance case says what is shown, and shows its gaps."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from conspect.assurance.case import assurance_case
from conspect.cli.main import main
from conspect.report.assurance import assurance_svg
from conspect.results.assurance import AssuranceCase, Node
from conspect.results.results import Results
from tests.comparison.studies import property_of, verified


def goal(case: AssuranceCase, start: str) -> Node:
    (goal_node,) = [node for node in case.nodes if node.element == "goal" and node.text.startswith(start)]
    return goal_node


def test_without_properties_and_monitor_both_are_gaps(before: Results) -> None:
    case = assurance_case(before, "s")
    assert goal(case, "Requirements are written").support == "gap"
    assert goal(case, "A monitor is fitted").support == "gap"
    assert case.nodes[0].id == case.root == "G1"
    assert len({node.id for node in case.nodes}) == len(case.nodes)
    assert case.nodes[0].support == "gap"
    assert (case.shown, case.refuted) == (1, 0)


@pytest.mark.parametrize(
    ("verdict", "coverage", "support"),
    [("holds", 0.9, "shown"), ("holds", 0.01, "gap"), ("violated", 0.9, "refuted"), ("unknown", 0.9, "gap")],
)
def test_a_property_is_shown_only_where_real_images_lie(
    before: Results, verdict: str, coverage: float, support: str
) -> None:
    entry = replace(property_of("p", verdict, "predict(x, red) implies reddish > grey"), coverage=coverage)
    case = assurance_case(verified(before, entry), "s")
    node = goal(case, "p: ")
    assert node.support == support
    assert "reddish" in node.text
    assert "implies" not in node.text  # in English


@pytest.mark.parametrize(
    ("change", "support", "says"),
    [
        ({"coverage": None}, "gap", "in which no image was looked for"),
        ({"vacuous": True, "reason": "vacuous: never"}, "gap", "vacuous: never"),
        ({"kind": "share", "coverage": None, "caveats": ("at least 90% claimed",)}, "shown", "at least 90% claimed"),
    ],
)
def test_what_is_proved_of_no_image_is_a_gap_and_how_often_a_property_is_claimed_is_said(
    before: Results, change: dict[str, object], support: str, says: str
) -> None:
    entry = replace(property_of("p", "holds", "reddish > grey"), **change)
    case = assurance_case(verified(before, entry), "s")
    node = goal(case, "p: ")
    assert node.support == support
    often = "On the share of images that it names" if entry.kind == "share" else "Everywhere in its region"
    assert node.text.startswith(f"p: {often}: 'reddish' is stronger")
    (below,) = [other for other in case.nodes if other.id == node.supported_by[0]]
    assert says in below.text


def test_the_shapes_and_arrows_are_those_of_the_notation(before: Results) -> None:
    case = assurance_case(verified(before, property_of("p", "holds"), property_of("q", "unknown")), "s")
    tree = ET.fromstring(assurance_svg(case))
    drawn = [element.tag.rpartition("}")[2] for element in tree.iter()]
    count = {kind: sum(node.element == kind for node in case.nodes) for kind in ("solution", "assumption", "goal")}
    assert drawn.count("circle") == count["solution"]
    assert drawn.count("ellipse") == count["assumption"]
    arrows = [element.get("marker-end") for element in tree.iter() if element.get("marker-end")]
    assert arrows.count("url(#context)") == len(case.nodes[0].in_context_of)
    assert arrows.count("url(#supported)") == sum(len(node.supported_by) for node in case.nodes)
    assert "A" in [element.text for element in tree.iter()]


def test_one_refuted_property_refutes_the_root(before: Results) -> None:
    case = assurance_case(verified(before, property_of("p", "holds"), property_of("q", "violated")), "s")
    assert case.nodes[0].support == "refuted"


def test_every_element_is_reached_from_the_root(before: Results) -> None:
    case = assurance_case(verified(before, property_of("p", "holds"), property_of("q", "unknown")), "s")
    nodes = {node.id: node for node in case.nodes}
    seen, left = set(), [case.root]
    while left:
        name = left.pop()
        seen.add(name)
        left += [*nodes[name].supported_by, *nodes[name].in_context_of]
    assert seen == set(nodes)


def test_the_drawing_is_xml_whatever_a_study_holds(before: Results) -> None:
    entries = [property_of(f"p{k}", "holds", "<b>&\x1b[0m") for k in range(9)]
    drawn = assurance_svg(assurance_case(verified(before, *entries), "<script>"))
    tree = ET.fromstring(drawn)
    assert tree.tag.endswith("svg")
    assert "<script>" not in drawn
    assert "and 5 more" in drawn


def test_the_command_writes_both_files(finished_folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["evidence", str(finished_folder), "--out", str(tmp_path / "e")])
    assert done.exit_code == 0
    case = json.loads((tmp_path / "e/evidence.json").read_text())
    assert done.stdout.startswith(f"{case['shown']} goals shown, {case['gaps']} open")
    assert (tmp_path / "e/evidence.svg").read_text().startswith("<svg")

"""The demo's monitor from end to end, on the real network and real attacks: a few minutes."""

from pathlib import Path

import pytest

from conspect.study.demo import demo_study
from tests.records import plain

pytest.importorskip("art")


@pytest.mark.slow
def test_the_demo_finds_attacks_and_a_second_look_beats_softmax(tmp_path: Path) -> None:
    results = plain(demo_study(tmp_path / "demo", images=1000).evaluate_monitor())
    areas = {(row["defect"], row["detector"]): row["auroc"] for row in results["rows"]}
    assert results["left_out"].keys() <= {"photographs"}
    assert areas["misclassification", "fused, second look"] > areas["misclassification", "maximum softmax"]
    assert areas["PGD-20 at 8/255", "maximum softmax"] < 0.5
    assert areas["PGD-20 at 8/255", "fused, second look"] > 0.9
    assert results["taught"] > 10
    by_lens = next(
        attacked for attacked in results["adversarial_localization"] if attacked["attack"] == "PGD-20 at 8/255"
    )
    assert by_lens["paper_counts"]["encoder"] >= by_lens["paper_counts"]["head"]
    assert by_lens["refitted_head_counts"]["encoder"] > by_lens["refitted_head_counts"]["head"]

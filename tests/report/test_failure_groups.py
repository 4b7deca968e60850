"""The report's section on failure groups, and what the first lines and the card say of them."""

from __future__ import annotations

from msgspec.structs import replace

from conspect.report.card import model_card
from conspect.report.failure_groups import groups_part
from conspect.report.html import render
from conspect.report.wording import findings
from conspect.results.failure_groups import FailureGroup, FailureSearch, GroupCondition, ThinCombination
from conspect.results.results import Results
from tests.comparison.studies import share

SEARCH = FailureSearch(images=75, failures=13, tried=40, checked=2, sentence="40 were looked at.", thin=())


def group(sentence: str) -> FailureGroup:
    return FailureGroup(
        label="red",
        output="blue",
        conditions=(GroupCondition(concept="bright", shown="least"),),
        sentence=sentence,
        failures=6,
        share=0.4615,
        inside=share(5, 12),
        outside=share(1, 20),
        p_value=0.0123,
        images=("first", "second"),
    )


def test_a_group_stands_in_the_section_the_first_lines_and_the_card(before: Results) -> None:
    results = replace(
        before, failure_groups=(group("Of red images, 5."), group("Of other red images, 4.")), failure_search=SEARCH
    )
    page = render(results, {"first": "data:image/png;base64,AA"})
    assert "Which failures belong together?" in page
    assert "Of red images, 5." in page
    assert "p = 0.012, corrected" in page
    assert findings(results)[-1] == "The largest group of failures that was found: of red images, 5."
    card = model_card(results)["README.md"]
    assert "of red images, 5." in card
    assert "* Of other red images, 4." in card


def test_names_from_outside_are_escaped() -> None:
    search = replace(
        SEARCH,
        thin=(
            ThinCombination(
                class_name="<b>", concepts=("a", "b"), images=1, expected=20.0, sentence="Only 1 <b> image"
            ),
        ),
    )
    html = str(
        groups_part([group("Of <script>alert(1)</script> images")], search, {"first": "data:image/png;base64,AA"}).html
    )
    assert "<script>" not in html
    assert "Only 1 &lt;b&gt; image" in html
    assert html.count("<img") == 1


def test_a_finished_study_says_what_the_search_came_to(before: Results) -> None:
    assert before.failure_search is not None
    assert before.failure_search.images == 75
    assert before.failure_search.failures == 13
    assert before.failure_search.sentence in render(before, {})

"""What a notebook shows of a study, its heatmaps, its mistakes and its verdicts."""

from pathlib import Path

import pytest

from conspect.results.localization import Failure
from conspect.results.results import Results
from conspect.study import Study
from tests.report.pages import Page


def shown(value: object) -> Page:
    """What `value` shows in a notebook, taken apart strictly."""
    html = value._repr_html_()  # type: ignore[attr-defined]
    assert isinstance(html, str)
    page = Page(html)
    # Notebooks drop style sheets and scripts: a part that needs them would be bare.
    assert not {"style", "script", "link"} & {tag for tag, _ in page.elements}
    return page


def images(page: Page) -> list[str]:
    return [str(attributes["src"]) for tag, attributes in page.elements if tag == "img"]


def test_a_study_shows_the_first_screen_of_its_report(finished: Study) -> None:
    page = shown(finished)
    results = finished.results()
    assert results.diagnosis.headline in page.words
    assert "How often is it right? 82.7 %" in page.words
    assert len(images(page)) == 4
    assert all(source.startswith("data:image/png;base64,") for source in images(page))


def test_a_study_that_has_not_run_shows_what_to_do(folder: Path) -> None:
    assert "has not been run to its end" in shown(Study.open(folder)).words


def test_a_heatmap_shows_a_picture_of_its_class(finished: Study) -> None:
    page = shown(finished.heatmap("green", "output_label"))
    assert "images the model calls green" in page.words
    assert images(page)[0].startswith("data:image/svg+xml;base64,")
    with pytest.raises(ValueError, match="not in tuple"):
        finished.heatmap("mauve")


def test_a_mistake_shows_its_picture_its_sentence_and_its_cause(finished: Study) -> None:
    record = finished.results().localization.images[0]
    page = shown(finished.failure(record.id))
    assert len(images(page)) == 1
    for text in (record.id, record.explanation.sentence, record.cause):
        assert text in page.words
    # The record alone says the same, without a picture.
    assert images(shown(record)) == []
    assert record.cause in shown(record).words


def test_a_verdict_shows_itself_and_what_lies_in_its_region(finished: Study) -> None:
    text = "property p: for all x in focus(green, gamma = 0.1): predict(x, green) implies greenish > bluish"
    (result,) = finished.verify(text)
    words = shown(result).words
    assert result.verdict.outcome in words
    assert "greenish > bluish" in words
    assert "held-out images" in words


def test_hostile_names_stay_text_in_a_notebook(finished: Study) -> None:
    record = finished.results().localization.images[0]
    text = "</div><script>alert(1)</script><img src=x onerror=alert(1)>"
    hostile = Failure(
        **{name: getattr(record, name) for name in record.__struct_fields__} | {"id": text, "label": text}
    )
    page = shown(hostile)
    assert text in " ".join(page.text)
    assert images(page) == []


def test_the_results_show_their_summary_too(finished: Study) -> None:
    results = finished.results()
    assert isinstance(results, Results)
    assert results.diagnosis.headline in shown(results).words

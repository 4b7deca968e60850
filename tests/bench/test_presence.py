"""The benchmark of `hasCon` counts what it asked, and quotes names that are no plain words."""

from types import SimpleNamespace

from conspect.bench import presence
from conspect.language import check_text


def test_names_of_any_study_are_asked_about_and_every_shape_and_coverage_is() -> None:
    study = SimpleNamespace(
        inputs=SimpleNamespace(
            model=SimpleNamespace(class_names=("sports car", "or", 'say "hi"')),
            concepts=SimpleNamespace(names=("big wheels", "implies", "red")),
        )
    )
    cells = [(shape, coverage) for shape in presence.SHAPES for coverage in presence.COVERAGES]
    asked = list(presence._asked(study, cells, 3, 5))  # type: ignore[arg-type]
    assert len(asked) == 18
    assert [shape for shape, _ in asked].count("band") == 9
    assert len(check_text("\n".join(text for _, text in asked)).require().items) == 18

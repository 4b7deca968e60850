"""What a tracking server is told of a study: its own figures and files, and nothing that a link leads to."""

from pathlib import Path

from msgspec.structs import replace

from conspect.results.results import Results
from conspect.study.tracking import files, metrics, tracked


def test_figures_are_those_of_the_results(before: Results) -> None:
    figures = metrics(before)
    assert figures["accuracy"] == before.model.accuracy
    assert figures["accuracy_low"] <= figures["accuracy"] <= figures["accuracy_high"]
    assert figures["failures"] == 13
    assert figures["images"] == before.dataset.readable
    for name, quality in zip(before.classes, before.model.by_class, strict=True):
        assert figures.get(f"recall/{name}") == quality.recall.value
    assert not any(name.startswith(("monitor", "properties")) for name in figures)


def test_classes_whose_names_a_server_does_not_take_stay_apart(before: Results) -> None:
    odd = ("crane (bird)", "crane/bird/", *(f"c{k}" for k in range(len(before.classes) - 2)))
    figures = metrics(replace(before, classes=odd))
    recalls = [name for name in figures if name.startswith("recall/")]
    assert recalls[:2] == ["recall/crane _bird_", "recall/crane_bird_"]
    alike = ("a?", "a!", *odd[2:])
    assert len([name for name in metrics(replace(before, classes=alike)) if name.startswith("recall/a_")]) == 2


def test_a_link_in_the_study_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "secret").write_text("x")
    (outside / "deep" / "key").write_text("x")
    study = tmp_path / "study"
    (study / "certificates").mkdir(parents=True)
    (study / "certificates" / "a.json").write_text("{}")
    (study / "certificates" / "b.json").symlink_to(outside / "secret")
    (study / "certificates" / "c").symlink_to(outside / "deep")
    (study / "card").symlink_to(outside)
    (study / "report.html").symlink_to(outside / "secret")
    (study / "results.json").write_text("{}")
    assert files(study) == [(study / "results.json", None), (study / "certificates" / "a.json", "certificates")]


def test_the_run_bears_the_folders_name_and_the_digests(before: Results, finished_folder: Path) -> None:
    run = tracked(before, finished_folder)
    assert run.name == finished_folder.name
    assert run.tags["conspect.model_digest"] == before.model.digest
    assert {path.name for path, place in run.files if place is None} >= {"report.html", "results.json", "manifest.json"}
    assert tracked(before, finished_folder, "mine").name == "mine"

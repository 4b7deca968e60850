"""A study that is run again, changed or not yet run while somebody looks at it."""

import shutil
import time
from pathlib import Path

import pytest

from conspect.core.diagnostics import UserError
from conspect.results.exploration import StudyState
from conspect.study import Study
from conspect.study.exploration import current as module
from conspect.study.exploration.current import Current
from conspect.study.exploration.opening import OpenedStudy, opened
from conspect.study.running import is_running, running


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.0)


def becomes(current: Current, state: StudyState, digest: str | None = None) -> bool:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        told = current.state()
        if told.state is state and (digest is None or told.digest != digest):
            return True
        time.sleep(0.02)
    return False


def of(study: OpenedStudy) -> Current:
    return Current(study.folder, lambda: opened(study.folder), study)


def test_a_run_underneath_is_told_and_its_results_are_taken_up_with_the_tags(study: OpenedStudy) -> None:
    current = of(study)
    study.exploration.tag([study.exploration.index.ids[0]], "kept", remove=False)
    digest = current.state().digest
    with running(study.folder / "study.toml"):
        assert current.state().state is StudyState.RUNNING
        assert current.study() is study
    assert current.state().state is StudyState.FINISHED
    config = study.folder / "study.toml"
    config.write_text(config.read_text() + "\n[settings]\nconfidence = 0.9\n")
    Study.open(study.folder).run()
    assert becomes(current, StudyState.FINISHED, digest)
    assert current.study() is not study
    assert current.study().exploration.overview().tags == ("kept",)


def test_inputs_that_changed_make_it_stale_and_it_can_still_be_looked_at(study: OpenedStudy) -> None:
    current = of(study)
    config = study.folder / "study.toml"
    before = config.read_text()
    config.write_text(before + "\n[settings]\nseed = 7\n")
    told = current.state()
    assert told.state is StudyState.STALE
    assert "conspect run" in told.message
    assert current.study().exploration.overview().state is StudyState.STALE
    config.write_text(before)
    assert becomes(current, StudyState.FINISHED)


def test_a_concept_that_is_added_makes_it_stale_until_it_is_run_again(study: OpenedStudy) -> None:
    current = of(study)
    assert current.state().state is StudyState.FINISHED
    shares = {"striped": dict.fromkeys(("red", "green", "blue", "yellow"), 0.5)}
    study.exploration.add_concepts(["striped"], shares, write=True)
    told = current.state()
    assert told.state is StudyState.STALE
    assert "conspect run" in told.message
    assert not current.study().exploration.ask("striped").in_study
    digest = told.digest
    Study.open(study.folder).run()
    assert becomes(current, StudyState.FINISHED, digest)
    assert current.study().exploration.ask("striped").in_study


def test_results_that_are_half_written_are_no_results(study: OpenedStudy) -> None:
    current = of(study)
    (study.folder / "results.json").write_text("{")
    assert current.state().state is StudyState.STALE
    assert current.study() is study


def test_before_the_first_run_is_done_whoever_asks_is_told_to_wait(finished_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(finished_folder, tmp_path / "study")
    kept = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").unlink()
    with running(folder / "study.toml"):
        current = Current(folder, lambda: opened(folder))
        with pytest.raises(UserError) as error:
            current.study()
        assert error.value.diagnostics[0].code == "EXPLORE011"
        (folder / "manifest.json").write_bytes(kept)
    assert becomes(current, StudyState.FINISHED)
    assert len(current.study().exploration.index) == 75


def test_a_lock_ends_with_the_block_and_a_folder_without_a_study_is_not_running(tmp_path: Path) -> None:
    config = tmp_path / "study.toml"
    assert not is_running(config)
    with running(config):
        assert not is_running(config)
    config.write_text("")
    assert not is_running(config)
    with running(config), running(config):
        assert is_running(config)
    assert not is_running(config)

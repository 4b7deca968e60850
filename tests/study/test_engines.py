"""A study by Ray's workers, one of which is killed, against the same study by this process; and a study whose store is a URL."""

import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from conspect.adapters.store.places import LocalPlace, RemotePlace
from conspect.cli.main import main
from conspect.study import Study, StudyConfig, inputs, workers
from conspect.study.config import DataConfig, Settings
from conspect.study.inputs import StudyInputs, load_inputs
from tests.fakes import FakeModel, FakeVlm
from tests.records import plain
from tests.study.monitored import CONFIG, noisy_colours


class Mortal(FakeModel):
    """The fake model; the first process that embeds with it is killed."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            self.mark.touch(exist_ok=False)
        except FileExistsError:
            return super().embed(batch)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


def open_in_worker(config: StudyConfig, folder: Path) -> workers.Shared:
    """In a worker, where nothing is patched yet."""
    inputs.model_of = lambda request: Mortal(folder / "killed")  # type: ignore[attr-defined]
    inputs.vlm_of = lambda request, cache: FakeVlm()  # type: ignore[attr-defined, misc]
    return workers.shared_of(load_inputs(config, folder))


def said(record: msgspec.Struct) -> dict:
    """As in the file, without what differs from run to run."""
    return {name: value for name, value in plain(record).items() if name != "timings"}


def close(a: object, b: object) -> bool:
    """Equal texts and whole numbers, other numbers within 1e-10."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return bool(np.isclose(a, b, rtol=1e-10, atol=1e-12))
    return a == b


@pytest.mark.slow
def test_a_run_whose_worker_is_killed_says_the_same(
    finished: Study, pristine: Path, tmp_path: Path, monkeypatch
) -> None:
    pytest.importorskip("ray", reason="could not run: ray")
    monkeypatch.setattr(workers, "open_shared", open_in_worker)
    folder = shutil.copytree(pristine, tmp_path / "study")
    study = Study.open(folder)
    with study.ray_workers(processors=2):
        ours = study.run()
    assert (folder / "killed").exists()
    theirs = finished.results()
    assert ours.heatmaps == theirs.heatmaps
    assert ours.localization.paper_oracle == theirs.localization.paper_oracle
    assert ours.model.confusion == theirs.model.confusion
    a, b = said(ours), said(theirs)
    for results in (a, b):
        results["alignment"].pop("lens_digest")
    assert close(a, b)
    assert not close({**a, "schema": 0}, b)


@pytest.mark.slow
def test_a_monitor_is_evaluated_by_workers_as_it_is_here(pristine: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="could not run: ray")
    concepts = inputs.demo_or_own_concepts(Study.open(pristine).config, pristine)
    sets = [noisy_colours(images, seed) for seed, images in ((1, 200), (2, 400), (3, 700))]
    own = StudyInputs(sets[0], sets[1], FakeModel(), FakeVlm(), concepts, None, sets[2])
    config = StudyConfig(monitor=CONFIG)
    study = Study(tmp_path / "ray", config, own)
    with study.ray_workers(processors=2):
        ours = study.evaluate_monitor()
    theirs = Study(tmp_path / "local", config, own).evaluate_monitor()
    assert len(ours.rows) > 20
    assert close(said(ours), said(theirs))


def test_a_study_in_a_bucket_is_embedded_once(s3, finished: Study, folder: Path, monkeypatch) -> None:
    seen: list[int] = []

    class Counting(FakeModel):
        def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            seen.append(len(batch))
            return super().embed(batch)

    monkeypatch.setattr(inputs, "model_of", lambda request: Counting())
    first = Study.open(folder, store="s3://bucket/study").run()
    assert not (folder / "embeddings").exists()
    embedded = Counter(seen)
    seen.clear()
    again = Study.open(folder, store="s3://bucket/study")
    assert said(again.run()) == said(first)
    # The diagnosis feeds some images again, changed; what was embedded is not.
    fed = Counter(seen)
    assert fed <= embedded
    images = len(again.inputs.train.ids) + len(again.inputs.test.ids)
    assert sum((embedded - fed).elements()) >= images
    a, b = said(first), said(finished.results())
    assert a["model"].pop("statement") != b["model"].pop("statement")  # it names the class of the object
    assert close(a, b)


def test_where_embeddings_are_kept(tmp_path: Path) -> None:
    here = StudyConfig(data=DataConfig(train="a", test="b"), settings=Settings(store="../shared"))
    assert Study(tmp_path / "s", here).store.place == LocalPlace(tmp_path / "s" / "../shared")
    assert Study(tmp_path / "s", StudyConfig()).store.place == LocalPlace(tmp_path / "s" / "embeddings")
    pytest.importorskip("s3fs", reason="could not run: s3fs")
    assert Study(tmp_path, here, store="s3://bucket/x").store.place == RemotePlace("s3://bucket/x")


def test_an_address_without_an_engine_is_a_mistake(folder: Path) -> None:
    done = CliRunner().invoke(main, ["run", str(folder), "--address", "10.0.0.9:6379"])
    assert done.exit_code == 2
    assert "--address is an option of --engine ray" in done.output


def test_a_store_of_no_known_kind_is_refused(folder: Path) -> None:
    pytest.importorskip("fsspec", reason="could not run: fsspec")
    done = CliRunner().invoke(main, ["run", str(folder), "--store", "s4://bucket"])
    assert "STORE004" in str(done.exception)

"""The engine of workers against the one without: a small cluster is started on this machine, and its workers are killed."""

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conspect.adapters.engines.local import LocalEngine
from conspect.adapters.store.arrays import PairedFiles, paired_files
from conspect.adapters.store.embeddings import embed
from conspect.adapters.store.places import LocalPlace, Store
from conspect.analysis.tallies import Interpreter, Tallies
from conspect.bench.workloads.scale_world import World
from conspect.core.diagnostics import UserError, user_error
from conspect.core.spaces import Lens
from conspect.study.measuring import streaming
from conspect.study.measuring.streaming import aligned, counted, fold_sums_of
from tests.adapters.slow_embedding import SlowEncoder, dataset
from tests.fakes import FakeModel, colour_dataset
from tests.sockets import family, listened_on
from tests.study.known_answers import KnownAnswers

pytestmark = pytest.mark.slow
IMAGES, CLASSES = 3000, 10


class Heavy(FakeModel):
    """A model that cannot travel: each worker opens its own, and notes that it did."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def __reduce__(self) -> str:
        raise TypeError("a model does not travel")


def opened(log: Path) -> dict[str, object]:
    with log.open("a") as out:
        out.write(f"{os.getpid()}\n")
    return {"model": Heavy(log)}


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("ray") / "opened"


@pytest.fixture(scope="module")
def heavy(log: Path) -> Heavy:
    return Heavy(log)


@pytest.fixture(scope="module")
def engine(heavy: Heavy, log: Path):
    pytest.importorskip("ray", reason="could not run: ray")
    from conspect.adapters.engines.ray import RayEngine

    with RayEngine(shared={"model": heavy}, opener=partial(opened, log), processors=2) as engine:
        yield engine


def slowest_first(task: int, progress) -> tuple[int, int]:
    time.sleep((5 - task) / 20)
    progress(task)
    return task, os.getpid()


def test_results_come_in_the_order_of_the_tasks_from_other_processes(engine) -> None:
    steps: list[int] = []
    results = list(engine.map(slowest_first, range(6), steps.append))
    assert [task for task, _ in results] == list(range(6))
    assert os.getpid() not in {pid for _, pid in results}
    assert steps == list(range(6))


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="could not run: needs /proc")
def test_a_cluster_started_here_listens_on_loopback_alone(engine) -> None:
    list(engine.map(slowest_first, range(4)))  # workers listen as well
    addresses = listened_on(family(os.getpid()))
    assert len(family(os.getpid())) > 4
    assert addresses == {"127.0.0.1"}


def refuse(task: int, progress) -> None:
    raise user_error("STUDY005", f"too few: {task}", "more")


def test_what_a_worker_says_on_purpose_arrives_as_it_was_said(engine) -> None:
    with pytest.raises(UserError) as caught:
        list(engine.map(refuse, [3]))
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.problem, diagnostic.fix) == ("STUDY005", "too few: 3", "more")


def test_each_worker_opens_the_inputs_once_and_writes_the_same_shards(
    engine, heavy: Heavy, log: Path, tmp_path
) -> None:
    data = colour_dataset(5000, side=16)
    rows: list[int] = []
    ours = embed(heavy, data, Store(LocalPlace(tmp_path / "a"), engine), progress=rows.append)
    theirs = embed(FakeModel(), data, tmp_path / "b")
    assert ours.values.tobytes() == theirs.values.tobytes()
    assert sum(rows) == len(data)
    shards = sorted((tmp_path / "b").glob("*/*.safetensors"))
    assert len(shards) > 1
    for path in shards:
        assert (tmp_path / "a" / path.relative_to(tmp_path / "b")).read_bytes() == path.read_bytes()
    opened_by = log.read_text().split()
    assert len(opened_by) == len(set(opened_by)) >= 1
    assert str(os.getpid()) not in opened_by


class Deadly(SlowEncoder):
    """Kills its own process once, in the middle of a shard."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def embed(self, batch):
        die_once(self.mark)
        return super().embed(batch)


def die_once(mark: Path) -> None:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_changes_no_embedding(engine, tmp_path: Path) -> None:
    mark = tmp_path / "died"
    ours = embed(Deadly(mark), dataset(), Store(LocalPlace(tmp_path / "a"), engine))
    assert mark.exists()
    theirs = embed(SlowEncoder(), dataset(), tmp_path / "b")
    assert ours.values.tobytes() == theirs.values.tobytes()
    assert ours.unreadable == theirs.unreadable


class DeadlyPairs(PairedFiles):
    """Embeddings whose reader is killed once, at row 1500."""

    def read(self, rows: range):
        if 1500 in rows:
            die_once(Path(self.z.paths[0]).with_name("died"))
        return super().read(rows)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[PairedFiles, np.ndarray]:
    folder = tmp_path_factory.mktemp("pairs")
    labels = np.random.default_rng(0).integers(0, CLASSES, IMAGES)
    for name, values in zip(("z.npy", "y.npy"), World().pairs(labels, [0]), strict=True):
        np.save(folder / name, values)
    return paired_files([folder / "z.npy"], [folder / "y.npy"]), labels


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch) -> None:
    monkeypatch.setattr(streaming.parts, "__defaults__", (400, 0))


def interpreter(pairs: PairedFiles) -> Interpreter:
    rng = np.random.default_rng(1)
    lens = Lens(aligned(pairs, LocalEngine()).map, tuple("abcdefghi"), rng.normal(size=(9, 512)))
    return Interpreter(lens, rng.normal(size=(CLASSES, 512)))


def differences(a: Any, b: Any, path: str = "") -> list[str]:
    """Where two records are not the same to the bit (integers) or within 1e-10 (sums)."""
    if isinstance(a, int | np.ndarray | float):
        if np.asarray(a).dtype.kind == "i":
            return [] if np.array_equal(a, b) else [path]
        return [] if np.allclose(a, b, rtol=1e-10, atol=1e-12) else [path]
    return [
        difference
        for name in vars(a)
        for difference in differences(getattr(a, name), getattr(b, name), f"{path}.{name}")
    ]


@pytest.mark.parametrize("killed", [False, True])
def test_sums_and_counts_are_those_of_the_local_engine(engine, written, killed: bool) -> None:
    pairs, labels = written
    own = DeadlyPairs(pairs.z, pairs.y) if killed else pairs
    mark = Path(pairs.z.paths[0]).with_name("died")
    mark.unlink(missing_ok=True)
    for ours, theirs in zip(fold_sums_of(own, engine), fold_sums_of(pairs, LocalEngine()), strict=True):
        assert differences(ours, theirs) == []
    assert mark.exists() == killed
    mark.unlink(missing_ok=True)
    rng = np.random.default_rng(2)
    outputs, refitted = (np.where(rng.random(IMAGES) < 0.3, rng.integers(0, CLASSES, IMAGES), labels) for _ in range(2))
    answers, reading = KnownAnswers(labels, outputs, refitted), interpreter(pairs)
    by_ray, here = (counted(p, reading, answers, e).tallies for p, e in ((own, engine), (pairs, LocalEngine())))
    assert isinstance(by_ray, Tallies)
    assert differences(by_ray, here) == []
    assert mark.exists() == killed
    assert differences(ours, theirs + theirs) != []  # the comparison can fail


def test_tasks_are_sent_a_few_at_a_time(engine) -> None:
    drawn: list[int] = []

    def endless():
        for task in range(1000):
            drawn.append(task)
            yield 5

    results = engine.map(slowest_first, endless())
    next(results)
    assert len(drawn) < 10

import random
import signal
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load, save_file

from conspect.adapters.store.embeddings import BATCH, BATCHES_AHEAD, BATCHES_PER_SHARD, embed
from conspect.core.diagnostics import OutsideError
from tests.adapters.counting import SHARD, CountingModel
from tests.adapters.slow_embedding import IMAGES, UNREADABLE, SlowEncoder, dataset
from tests.fakes import FakeModel, FakeVlm, colour_dataset

ROOT = Path(__file__).parents[2]


def shards(store: Path) -> list[Path]:
    return sorted(store.glob("*/*.safetensors"))


def test_embeddings_are_the_models_own_and_computed_once(tmp_path: Path) -> None:
    data, model = colour_dataset(SHARD + 100, side=16), CountingModel()
    embeddings = embed(model, data, tmp_path)
    expected = FakeModel().embed(np.stack([model.prepare(data.image(k)) for k in range(len(data))]))
    assert np.array_equal(embeddings.values, expected)
    assert embeddings.values.dtype == np.float32
    assert (embeddings.space, embeddings.data, embeddings.unreadable) == ("model-1", data.digest, {})
    assert embeddings.readable.all()
    again = embed(model, data, tmp_path)
    assert np.array_equal(again.values, expected)
    assert model.seen == len(data)


def test_another_encoder_or_other_data_never_share_a_folder(tmp_path: Path) -> None:
    embed(FakeModel(), colour_dataset(10), tmp_path)
    embed(FakeVlm(), colour_dataset(10), tmp_path)
    embed(FakeModel(), colour_dataset(11), tmp_path)
    changed = FakeModel()
    changed.digest = "model-2"
    embed(changed, colour_dataset(10), tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_progress_counts_every_row_once(tmp_path: Path) -> None:
    for _ in range(2):
        rows: list[int] = []
        embed(FakeModel(), colour_dataset(SHARD + 1), tmp_path, progress=rows.append)
        assert sum(rows) == SHARD + 1


def test_no_images_give_no_embeddings(tmp_path: Path) -> None:
    assert embed(FakeModel(), colour_dataset(0), tmp_path).values.shape == (0, 3)


@pytest.mark.parametrize("workers", [1, 5])
def test_the_number_of_threads_changes_no_bit(tmp_path: Path, workers: int) -> None:
    alone = embed(SlowEncoder(), colour_dataset(300), tmp_path / "a", workers=2)
    two = embed(SlowEncoder(), colour_dataset(300), tmp_path / "b", workers=workers)
    assert alone.values.tobytes() == two.values.tobytes()


def test_two_runs_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    data = colour_dataset(SHARD + 200)
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: embed(SlowEncoder(), data, tmp_path).values.tobytes(), range(3)))
    assert len(set(results)) == 1


def test_unreadable_images_are_listed_and_leave_their_row_empty(tmp_path: Path) -> None:
    for _ in range(2):  # computed, then from the store
        embeddings = embed(SlowEncoder(), dataset(), tmp_path)
        assert np.flatnonzero(~embeddings.readable).tolist() == list(UNREADABLE)
        assert embeddings.unreadable == {f"{row:06d}": f"{row} is broken" for row in UNREADABLE}
        assert np.all(embeddings.values[list(UNREADABLE)] == 0)
        assert len(embeddings.values) == IMAGES


def test_a_batch_of_nothing_but_unreadable_images_is_no_trouble(tmp_path: Path) -> None:
    data = dataset()
    few = type(data)("few", "test", ("thing",), data.ids[:4], data.labels[:4], data.pixels[:4])
    few = type(data)("one", "test", ("thing",), few.ids[3:], few.labels[3:], few.pixels[3:])
    object.__setattr__(few, "image", lambda _: dataset().image(3))
    embeddings = embed(FakeModel(), few, tmp_path)
    assert embeddings.readable.tolist() == [False]
    assert embeddings.values.tolist() == [[0, 0, 0]]


class Overflowing(FakeModel):
    """Gives no finite embedding of bright images."""

    digest = "overflowing"

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        values = super().embed(batch)
        return np.where(values.mean(1, keepdims=True) > 0.51, np.float32(np.inf), values)


def test_an_image_without_a_finite_embedding_is_listed_not_stored(tmp_path: Path) -> None:
    data = colour_dataset(40, side=16)
    expected = FakeModel().embed(np.stack([FakeModel().prepare(image) for image in data.pixels])).mean(1) <= 0.51
    assert 0 < expected.sum() < 40
    for _ in range(2):
        embeddings = embed(Overflowing(), data, tmp_path)
        assert np.array_equal(embeddings.readable, expected)
        assert np.isfinite(embeddings.values).all()
        assert all("not finite" in reason for reason in embeddings.unreadable.values())


def damage_truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def damage_emptied(path: Path) -> None:
    path.write_bytes(b"")


def damage_text(path: Path) -> None:
    path.write_text("these are not the tensors you are looking for")


def damage_huge_header(path: Path) -> None:
    path.write_bytes((1 << 62).to_bytes(8, "little") + b"{}")


def rewritten(path: Path, values: NDArray[np.generic], readable: NDArray[np.generic], unreadable: str = "{}") -> None:
    save_file({"embeddings": values, "readable": readable}, path, metadata={"unreadable": unreadable})


def one_value_changed(path: Path) -> None:
    """As a failing disk or a hand may do it: all else fits."""
    content = bytearray(path.read_bytes())
    values = load(bytes(content))["embeddings"]
    place = content.index(values.tobytes())
    content[place : place + 4] = np.float32(values[0, 0] + 0.25).tobytes()
    path.write_bytes(content)


DAMAGES = {
    "truncated": damage_truncated,
    "empty": damage_emptied,
    "text": damage_text,
    "huge header": damage_huge_header,
    "too few rows": lambda path: rewritten(path, np.zeros((9, 3), np.float32), np.ones(9, np.uint8)),
    "other space": lambda path: rewritten(path, np.zeros((10, 4), np.float32), np.ones(10, np.uint8)),
    "other type": lambda path: rewritten(path, np.zeros((10, 3), np.float64), np.ones(10, np.uint8)),
    "mask of other length": lambda path: rewritten(path, np.zeros((10, 3), np.float32), np.ones(7, np.uint8)),
    "NaN": lambda path: rewritten(path, np.full((10, 3), np.nan, np.float32), np.ones(10, np.uint8)),
    "reasons that are no JSON": lambda path: rewritten(path, np.zeros((10, 3), np.float32), np.ones(10, np.uint8), "{"),
    "reasons of another kind": lambda path: rewritten(
        path, np.zeros((10, 3), np.float32), np.ones(10, np.uint8), "[1]"
    ),
    "a row that nobody would miss": lambda path: rewritten(
        path, np.zeros((10, 3), np.float32), np.arange(10, dtype=np.uint8)
    ),
    "reasons for rows of another shard": lambda path: rewritten(
        path, np.zeros((10, 3), np.float32), np.ones(10, np.uint8), '{"99": "it is not here"}'
    ),
    "no metadata": lambda path: save_file({"embeddings": np.zeros((10, 3), np.float32), "readable": np.ones(10)}, path),
    "one value changed": one_value_changed,
    "no mask": lambda path: save_file({"embeddings": np.zeros((10, 3), np.float32)}, path),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_shard_is_an_error_that_names_file_and_remedy(tmp_path: Path, damage) -> None:
    data = colour_dataset(10)
    before = embed(FakeModel(), data, tmp_path).values
    (path,) = shards(tmp_path)
    damage(path)
    with pytest.raises(OutsideError) as caught:
        embed(FakeModel(), data, tmp_path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "STORE002"
    assert str(path) in diagnostic.problem
    assert path.name in diagnostic.fix
    path.unlink()
    assert np.array_equal(embed(FakeModel(), data, tmp_path).values, before)


def test_a_folder_that_cannot_be_written_is_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutsideError, match="STORE001"):
        embed(FakeModel(), colour_dataset(3), tmp_path / "file" / "store")


def test_memory_is_bounded_by_the_batch(tmp_path: Path) -> None:
    """Prepared images of 48 kB each: all of them would be 300 MB."""

    class Wide(FakeModel):
        def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.broadcast_to(image[0, 0].astype(np.float32), (64, 64, 3)).copy()

        def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            return batch[:, 0, 0]

    data = colour_dataset(6000)
    assert data.digest
    tracemalloc.start()
    embed(Wide(), data, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Four batches wait, one is put together from its images, and there is a little besides.
    assert peak < (BATCHES_AHEAD + 5) * BATCH * 64 * 64 * 3 * 4


def embed_and_kill(store: Path, rng: random.Random) -> bool:
    """Starts the slow embedding, kills it at a random moment; True when it was still at work."""
    command = [sys.executable, "-m", "tests.adapters.slow_embedding", str(store)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(rng.randint(1, BATCHES_PER_SHARD + 4)):
            process.stdout.readline()
        time.sleep(rng.random() * 0.01)
        process.send_signal(signal.SIGKILL)
        return process.wait() == -signal.SIGKILL


def kill_until_done(tmp_path: Path, seed: int, kills: int) -> None:
    rng = random.Random(seed)
    store = tmp_path / "store"
    killed = 0
    for _ in range(kills):
        killed += embed_and_kill(store, rng)
    embeddings = embed(SlowEncoder(), dataset(), store)
    expected = embed(SlowEncoder(), dataset(), tmp_path / "uninterrupted")
    assert killed >= min(5, kills)
    assert embeddings.values.tobytes() == expected.values.tobytes()
    assert embeddings.unreadable == expected.unreadable
    names = [[path.relative_to(root) for path in shards(root)] for root in (store, tmp_path / "uninterrupted")]
    assert names[0] == names[1]
    for path in names[0]:
        assert (store / path).read_bytes() == (tmp_path / "uninterrupted" / path).read_bytes()


def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bits(tmp_path: Path) -> None:
    kill_until_done(tmp_path, seed=0, kills=6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 9))
def test_no_moment_is_a_bad_one_to_be_killed(tmp_path: Path, seed: int) -> None:
    kill_until_done(tmp_path, seed=seed, kills=8)

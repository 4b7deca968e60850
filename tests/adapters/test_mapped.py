"""Shards that are mapped and scanned give what reading them gives."""

from pathlib import Path
from threading import Lock

import numpy as np
import pytest

from conspect.adapters.store.embeddings import Shards, shard_ranges, write_shard
from conspect.adapters.store.mapped import MappedShards, mapped_embeddings
from conspect.adapters.store.places import LocalPlace, Place, place_of
from conspect.core.diagnostics import OutsideError

IMAGES, SIZE = 2500, 6


def shards_in(folder: Path, place: Place | None = None, unread: tuple[int, ...] = ()) -> Shards:
    target = LocalPlace(folder) if place is None else place
    rng = np.random.default_rng(0)
    for rows in shard_ranges(IMAGES):
        values = rng.normal(size=(len(rows), SIZE)).astype(np.float32)
        write_shard(target, rows, values, {row: "damaged" for row in unread if row in rows})
    return Shards(target, shard_ranges(IMAGES), SIZE, "space", "data")


def file_of(shards: Shards, number: int) -> Path:
    path = shards.path_of(number)
    assert path is not None
    return path


def scanned(space: MappedShards) -> np.ndarray:
    values, lock, places = np.full((len(space), SIZE), np.nan, np.float32), Lock(), []

    def act(where: slice, z: np.ndarray) -> None:
        values[where] = z
        with lock:
            places.append(where.start)

    space.scanned(act)
    assert len(set(places)) == len(places)
    return values


@pytest.mark.parametrize("unread", [(), (0, 1023, 1024, 2499), tuple(range(1024, 2048))])
def test_a_scan_and_chosen_rows_are_those_of_the_shards(tmp_path: Path, unread: tuple[int, ...]) -> None:
    shards = shards_in(tmp_path, unread=unread)
    rows = np.flatnonzero(shards.readable())
    space, plain = MappedShards(shards, rows), shards.rows(rows)
    for _ in range(2):  # read the first time, mapped the second
        assert np.array_equal(scanned(space), plain)
    chosen = np.random.default_rng(1).integers(0, len(rows), 300)
    assert np.array_equal(space.taken(chosen), plain[chosen])
    assert space.taken(np.zeros(0, dtype=np.int64)).shape == (0, SIZE)


def test_what_is_mapped_cannot_be_written_to(tmp_path: Path) -> None:
    shards = shards_in(tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        mapped_embeddings(file_of(shards, 0))[0] = 1


def test_a_shard_with_other_values_is_refused_by_name(tmp_path: Path) -> None:
    shards = shards_in(tmp_path)
    path = file_of(shards, 1)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    space = MappedShards(shards, np.arange(IMAGES))
    space.taken(np.array([0]))
    for ask in (lambda: space.taken(np.array([1500])), lambda: scanned(space)):
        with pytest.raises(OutsideError, match="STORE002"):
            ask()


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff" * 8,
        (40).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"{}",
        (4).to_bytes(8, "little") + b"[[[[",
    ],
)
def test_a_file_that_is_no_shard_is_not_mapped(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(header)
    with pytest.raises((ValueError, KeyError, TypeError)):
        mapped_embeddings(path)


def test_a_shard_that_names_a_shape_beyond_its_file_is_not_mapped(tmp_path: Path) -> None:
    text = b'{"embeddings":{"dtype":"F32","shape":[1000,1000],"data_offsets":[0,4000000]}}'
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(64))
    with pytest.raises(ValueError, match="float32 of the shape"):
        mapped_embeddings(path)


def test_shards_elsewhere_are_read_each_time(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    place = place_of(f"memory://mapped-{tmp_path.name}", tmp_path)
    shards = shards_in(tmp_path, place)
    assert shards.path_of(0) is None
    space = MappedShards(shards, np.arange(IMAGES))
    assert np.array_equal(scanned(space), shards.rows(np.arange(IMAGES)))

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from conspect.adapters.store.arrays import ArrayFiles, paired_files
from conspect.core.diagnostics import OutsideError

ROWS = (3, 1, 5)
WHOLE = np.arange(sum(ROWS) * 4, dtype=np.float32).reshape(-1, 4)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, ...]:
    folder = tmp_path_factory.mktemp("arrays")
    parts = np.split(WHOLE, np.cumsum(ROWS)[:-1])
    np.save(folder / "0.npy", parts[0])
    save_file({"embeddings": parts[1], "other": np.zeros(2)}, folder / "1.safetensors")
    np.save(folder / "2.npy", parts[2])
    return folder / "0.npy", folder / "1.safetensors", folder / "2.npy"


@given(st.integers(0, 9), st.integers(0, 9))
def test_any_part_of_the_rows_can_be_read_across_files(files: tuple[Path, ...], first: int, other: int) -> None:
    array = ArrayFiles(files)
    rows = range(min(first, other), max(first, other))
    assert len(array) == 9
    assert np.array_equal(array.read(rows), WHOLE[rows.start : rows.stop])
    assert array.read(rows).dtype == np.float32


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_bytes(b"\x80\x04]q\x00."),
        lambda path: np.save(path, np.array([{}], dtype=object), allow_pickle=True),
        lambda path: np.save(path, WHOLE.astype(np.float64)),
        lambda path: np.save(path, WHOLE[0]),
        lambda path: path.unlink(),
    ],
)
def test_a_file_that_holds_no_embeddings_is_named(tmp_path: Path, damage) -> None:
    path = tmp_path / "z.npy"
    np.save(path, WHOLE)
    damage(path)
    with pytest.raises(OutsideError, match=r"STORE002: .*z\.npy") as caught:
        paired_files([path], [path])
    assert caught.value.diagnostics[0].fix


def test_pairs_have_two_sides(files: tuple[Path, ...]) -> None:
    pairs = paired_files(files, files)
    z, y = pairs.read(range(2, 6))
    assert len(pairs) == 9
    assert np.array_equal(z, y)
    with pytest.raises(OutsideError, match="9 embeddings of the model against 8"):
        paired_files(files, [files[0], files[2]])

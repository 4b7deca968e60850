"""Every loader against every hostile file: a refusal in one message or a proper value, soon, and nothing is executed."""

import shutil
import tempfile
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conspect.bench.rows import peak_memory
from conspect.core.diagnostics import ConspectError
from tests.hostile.files import CANARY, hostile_files
from tests.hostile.loaders import LOADERS, REFUSALS, Loader

SECONDS, MEMORY = 10.0, 600.0  # of one loader over one file; MB, of the process over all files
FILES = hostile_files()


@pytest.fixture(autouse=True)
def canary():
    CANARY.unlink(missing_ok=True)
    yield
    assert not CANARY.exists(), "something in a hostile file was executed, or written outside its folder"


def refused(loader: Loader, path: Path) -> bool:
    """Whether the loader refuses; one clear message, soon, and nothing but a refusal."""
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loader.read(path)
    except REFUSALS as error:
        for diagnostic in error.diagnostics if isinstance(error, ConspectError) else ():
            assert diagnostic.problem.strip()
            assert diagnostic.fix.strip()
            assert len(str(diagnostic)) < 3000, "a message is to be read"
        return bool(str(error).strip())
    finally:
        assert time.perf_counter() - start < SECONDS
    return False


@pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: loader.name[-40:])
def test_no_hostile_file_is_more_than_refused(loader: Loader, tmp_path: Path) -> None:
    before = peak_memory()
    path = tmp_path / "in" / loader.name
    path.parent.mkdir(parents=True)
    failed = []
    for name, content in FILES.items():
        path.write_bytes(content)
        try:
            refused(loader, path)
        except Exception as error:  # all of them are shown at once
            failed.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
    assert not failed
    assert peak_memory() - before < MEMORY


@pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: loader.name[-40:])
def test_what_is_no_file_is_refused(loader: Loader, tmp_path: Path) -> None:
    path = tmp_path / loader.name
    path.mkdir(parents=True)
    assert refused(loader, path)


@pytest.mark.parametrize(
    "loader", [readable for readable in LOADERS if readable.valid], ids=lambda loader: loader.name[-40:]
)
def test_a_valid_file_is_read_and_no_damage_to_it_is_more_than_refused(loader: Loader) -> None:
    folder = Path(tempfile.mkdtemp())
    path = folder / loader.name
    path.parent.mkdir(parents=True, exist_ok=True)
    assert loader.valid is not None
    loader.valid(path)
    assert not refused(loader, path)
    whole = path.read_bytes()

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def damaged(data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(whole) - 1))
        length = data.draw(st.integers(0, 16))
        patch = data.draw(st.binary(max_size=16))
        path.write_bytes(whole[:start] + patch + whole[start + length :])
        refused(loader, path)

    damaged()
    shutil.rmtree(folder)

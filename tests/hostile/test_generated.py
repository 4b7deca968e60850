"""More than two hundred hostile files, made by generation: none over ten seconds or two gigabytes, none executed."""

import pytest

from tests.hostile.files import CANARY
from tests.hostile.generated import bombs, damaged, generated_files
from tests.hostile.loaders import LOADERS, Loader
from tests.hostile.measure import FAULT, READ, measured, reading, summary

OF = {loader.name: loader for loader in LOADERS}


def test_there_are_more_than_two_hundred_and_the_same_for_the_same_seed() -> None:
    files = generated_files(220)
    assert len(files) >= 220
    parquet = OF["images.parquet"]
    assert damaged(parquet, 3, 0) == damaged(parquet, 3, 0) != damaged(parquet, 3, 1)


@pytest.mark.parametrize("loader", ["images.parquet", "model.pt2", "model.onnx", "0.tar", "image.png"])
def test_no_bomb_goes_off_in_what_it_pretends_to_be(loader: str, tmp_path) -> None:
    bad = [
        one for name, content in bombs().items() if not (one := reading(OF[loader], name, content, tmp_path)).is_sound
    ]
    assert not bad


def test_a_reading_that_breaks_a_limit_is_seen(tmp_path) -> None:
    def greedy(_path: object) -> None:
        bytearray(3 << 30)[:: 1 << 12] = b"x" * (3 << 18)

    def leaves(_path: object) -> None:
        raise SystemExit(0)

    assert reading(Loader("a", greedy), "x", b"", tmp_path).megabytes > 2000
    assert reading(Loader("a", leaves), "x", b"", tmp_path).end == FAULT
    assert reading(Loader("a", lambda path: path), "x", b"", tmp_path).end == READ


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_loader_takes_long_or_much_for_any_file() -> None:
    CANARY.unlink(missing_ok=True)
    files, readings = measured(220)
    print(summary(files, readings))
    assert not CANARY.exists()
    assert all(one.is_sound for one in readings), summary(files, readings)

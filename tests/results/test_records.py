"""What is written reads back; what is not a record is refused."""

import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from conspect.results import (
    data,
    heatmaps,
    localization,
    models,
    monitor,
    results,
    shares,
    slices,
    validation,
    verification,
)
from conspect.results.files import decoded, encoded, write_record
from conspect.results.results import Manifest
from conspect.results.shares import Share

MANIFEST = Manifest(conspect="0", config="a", results="b", failures="d", seed=0, digests={"model": "c"})
MODULES = (data, heatmaps, localization, models, monitor, results, shares, slices, validation, verification)


def test_a_record_reads_back_as_it_was_written(tmp_path: Path) -> None:
    write_record(tmp_path / "manifest.json", MANIFEST)
    content = (tmp_path / "manifest.json").read_bytes()
    assert content.endswith(b"}\n")
    assert decoded(content, Manifest) == MANIFEST
    assert encoded(MANIFEST, indent=None).count(b"\n") == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, 1.5, "0.5"])
def test_a_value_that_the_type_does_not_allow_is_never_written(value: float) -> None:
    with pytest.raises(ValueError, match="Share that cannot be read back"):
        encoded(Share(value=0.5, low=value, high=1.0, successes=1, n=2))


def test_numbers_of_numpy_are_written_as_numbers() -> None:
    share = Share(value=np.float64(0.5), low=np.float32(0.25), high=1, successes=np.int64(1), n=np.int32(2))  # type: ignore[arg-type]
    assert json.loads(encoded(share)) == {"value": 0.5, "low": 0.25, "high": 1, "successes": 1, "n": 2}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "truncated"),
        (b"\xff", "malformed"),
        (b"[]", "object"),
        (b"{}", "conspect"),
        (encoded(MANIFEST).replace(b'"seed": 0', b'"seed": "x"'), r"\$.seed"),
        (encoded(MANIFEST).replace(b'"seed"', b'"sed"'), "sed"),
        (b"[" * 100_000, "nested|recursion|object"),
    ],
)
def test_a_file_that_is_not_the_record_is_refused_by_name(content: bytes, named: str) -> None:
    with pytest.raises(ValueError, match=f"(?i){named}"):
        decoded(content, Manifest)


def records() -> list[type[msgspec.Struct]]:
    kinds = [value for module in MODULES for value in vars(module).values() if isinstance(value, type)]
    return [kind for kind in dict.fromkeys(kinds) if issubclass(kind, msgspec.Struct) and kind is not msgspec.Struct]


def test_every_record_is_frozen_strict_and_says_what_it_is() -> None:
    assert len(records()) > 40
    for kind in records():
        config = kind.__struct_config__
        assert config.frozen, kind
        assert config.forbid_unknown_fields, kind
        assert kind.__doc__, kind

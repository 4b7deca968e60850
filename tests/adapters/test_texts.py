from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from conspect.adapters.store.texts import cached_text_encoder
from conspect.core.diagnostics import OutsideError
from conspect.core.digests import digest_arrays
from tests.fakes import FakeVlm

TEXTS = ["a red thing", "a photo of something bluish", "a red thing"]


class CountingVlm(FakeVlm):
    """Counts the texts that it has to read."""

    def __init__(self) -> None:
        self.read = 0

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        self.read += len(texts)
        return super().embed_texts(texts)


def test_texts_are_embedded_once_and_to_the_bit(tmp_path: Path) -> None:
    vlm = CountingVlm()
    encode = cached_text_encoder(vlm, tmp_path / "store")
    first, second = encode(TEXTS), encode(TEXTS)
    assert vlm.read == 3
    assert first.tobytes() == second.tobytes() == FakeVlm().embed_texts(TEXTS).tobytes()


def test_other_texts_another_order_or_another_vlm_are_not_mixed_up(tmp_path: Path) -> None:
    vlm = CountingVlm()
    encode = cached_text_encoder(vlm, tmp_path)
    encode(TEXTS)
    assert np.array_equal(encode(TEXTS[::-1][:2]), FakeVlm().embed_texts(TEXTS[::-1][:2]))
    vlm.digest = "vlm-2"
    encode(TEXTS)
    assert vlm.read == 8


@pytest.mark.parametrize("damage", ["truncated", "too few", "NaN", "other name", "zeros", "another text's"])
def test_a_damaged_file_is_an_error_that_names_it_and_the_remedy(tmp_path: Path, damage: str) -> None:
    cached_text_encoder(FakeVlm(), tmp_path)(TEXTS)
    (path,) = tmp_path.glob("texts-*.safetensors")
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-3])
    elif damage == "another text's":
        content = {"texts": FakeVlm().embed_texts(["grey", "azure", "leafy"])}
        save_file(content, path, {"sha256": digest_arrays({"": FakeVlm().embed_texts(TEXTS)})})
        rows = content["texts"]
    else:
        rows = np.full((2 if damage == "too few" else 3, 4), np.nan if damage == "NaN" else 0, np.float32)
        save_file({"other" if damage == "other name" else "texts": rows}, path)
    with pytest.raises(OutsideError, match=rf"STORE002: .*{path.name} is damaged(.|\n)*delete {path.name}"):
        cached_text_encoder(FakeVlm(), tmp_path)(TEXTS)


def test_a_folder_that_cannot_be_written_is_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutsideError, match="STORE001"):
        cached_text_encoder(FakeVlm(), tmp_path / "file")(TEXTS)

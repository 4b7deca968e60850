"""Opening for the page: the text tower is loaded beside the measuring, and its faults reach whoever asks."""

from threading import Event

import numpy as np
import pytest
from numpy.typing import NDArray

from conspect.core.diagnostics import OutsideError, outside_error
from conspect.study.exploration.opening import _loaded_beside


class SlowTower:
    """A text tower that is loaded by its first call, and not before `let`."""

    def __init__(self, *, broken: bool = False) -> None:
        self.let, self.texts, self._broken = Event(), list[list[str]](), broken

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        assert self.let.wait(10)
        self.texts.append(texts)
        if self._broken:
            raise outside_error("VLM001", "no tower", "install it")
        return np.ones((len(texts), 2), dtype=np.float32)


def test_a_question_waits_for_the_load_that_is_under_way_instead_of_beginning_another() -> None:
    tower = SlowTower()
    encode = _loaded_beside(tower, tower.embed_texts)  # type: ignore[arg-type]
    assert tower.texts == []
    tower.let.set()
    assert encode(["striped", "metallic"]).shape == (2, 2)
    assert tower.texts[1:] == [["striped", "metallic"]]
    assert len(tower.texts[0]) == 1


def test_a_tower_that_cannot_be_loaded_is_said_to_whoever_asks() -> None:
    tower = SlowTower(broken=True)
    tower.let.set()
    encode = _loaded_beside(tower, tower.embed_texts)  # type: ignore[arg-type]
    with pytest.raises(OutsideError, match="no tower"):
        encode(["striped"])

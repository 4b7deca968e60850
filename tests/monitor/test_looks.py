"""Looks pick their places, whatever the layout and the library, and an encoder that looks is another encoder."""

import numpy as np
import pytest
import torch

from conspect.core.diagnostics import UserError
from conspect.monitor.runtime.looks import LOOKS, Look
from conspect.study.monitor.looking import LookingEncoder
from tests.fakes import FakeModel, colour_dataset


def test_a_look_moves_by_a_sixteenth_of_the_side_repeats_the_edge_and_then_mirrors() -> None:
    image = np.random.default_rng(0).normal(size=(3, 32, 16))
    moved = Look(False, 1, -1)(image)
    assert np.array_equal(moved[:, 2:, :-1], image[:, :-2, 1:])
    assert np.array_equal(moved[:, :2, :-1], image[:, [0, 0], 1:])
    assert np.array_equal(moved[:, 2:, -1], image[:, :-2, -1])
    assert np.array_equal(Look(True, 1, -1)(image), moved[:, :, ::-1])
    assert np.array_equal(Look(True, 0, 0)(Look(True, 0, 0)(image)), image)


@pytest.mark.parametrize("look", LOOKS)
def test_both_layouts_and_both_libraries_show_the_same(look: Look) -> None:
    batch = np.random.default_rng(0).normal(size=(2, 3, 16, 20)).astype(np.float32)
    seen = look(batch)
    assert np.array_equal(look(batch.transpose(0, 2, 3, 1)), seen.transpose(0, 2, 3, 1))
    assert np.array_equal(look(torch.from_numpy(batch)).numpy(), seen)
    assert all(np.array_equal(look(image), other) for image, other in zip(batch, seen, strict=True))


def test_what_is_no_image_cannot_be_looked_at() -> None:
    with pytest.raises(UserError, match=r"MONITOR001.*another look"):
        LOOKS[0](np.zeros((4, 8)))


def test_an_encoder_that_looks_embeds_what_it_looks_at_and_has_a_digest_of_its_own() -> None:
    model, data = FakeModel(), colour_dataset(3)
    looking = [LookingEncoder(model, look) for look in LOOKS]
    assert len({model.digest, *(encoder.digest for encoder in looking)}) == len(LOOKS) + 1
    for encoder in looking:
        prepared = model.prepare(data.image(1))
        assert np.array_equal(encoder.prepare(data.image(1)), encoder.look(prepared))
        assert np.array_equal(encoder.embed(prepared[None]), model.embed(prepared[None]))
        assert (encoder.name, encoder.embedding_size) == (model.name, model.embedding_size)
        assert encoder.preprocessing.startswith(model.preprocessing)

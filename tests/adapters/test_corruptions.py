"""Corruptions: what each does by value, that strength is strength, at every size, and that a seed is a seed."""

import numpy as np
import pytest

from conspect.adapters.datasets.drawn.patterns import smooth_noise
from conspect.adapters.datasets.views.corruptions import KINDS, STRENGTHS, CorruptedImages, CorruptionKind, corrupt
from conspect.adapters.store.embeddings import embed
from tests.fakes import FakeModel, colour_dataset


def scene(side: int, seed: int = 0) -> np.ndarray:
    """A natural enough picture: amplitudes fall with frequency as in photographs, and there is an edge."""
    rng = np.random.default_rng(seed)
    light, *colours = (smooth_noise(rng, (side, side), decay=1.5) for _ in range(4))
    smooth = np.stack([0.2 + 0.4 * light + 0.1 * colour for colour in colours], axis=2)
    edge = rng.integers(1, side, 2)
    smooth[: edge[0], : edge[1]] += 0.2
    return np.rint(smooth * 255).astype(np.uint8)


def distance(image: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(image.astype(float) - other))))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [32, 96])
def test_the_stronger_the_farther_from_the_original(kind: CorruptionKind, side: int) -> None:
    distances = [
        np.mean(
            [distance(corrupt(scene(side, k), kind, s, np.random.default_rng(k)), scene(side, k)) for k in range(10)]
        )
        for s in STRENGTHS
    ]
    assert distances == sorted(distances)
    assert distances[0] > 0.5
    assert distances[-1] > 1.1 * distances[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(32, 32), (7, 50), (1, 1)])
def test_shape_and_type_stay(kind: CorruptionKind, shape: tuple[int, int]) -> None:
    for value in (0, 255):
        image = np.full((*shape, 3), value, dtype=np.uint8)
        with np.errstate(all="raise", under="ignore"):
            corrupted = corrupt(image, kind, 5, np.random.default_rng(0))
        assert (corrupted.shape, corrupted.dtype) == (image.shape, np.dtype(np.uint8))


def test_gaussian_noise_has_the_published_deviation() -> None:
    grey = np.full((200, 200, 3), 128, dtype=np.uint8)
    for strength, deviation in ((1, 0.04), (5, 0.10)):
        noise = corrupt(grey, "Gaussian noise", strength, np.random.default_rng(0)).astype(float) - 128
        assert noise.std() / 255 == pytest.approx(deviation, rel=0.02)
        assert abs(noise.mean()) < 0.3


def test_shot_noise_grows_with_the_square_root_of_brightness() -> None:
    deviations = [
        corrupt(np.full((200, 200, 3), value, np.uint8), "shot noise", 5, np.random.default_rng(0)).std() / 255
        for value in (51, 128)
    ]
    assert deviations[0] == pytest.approx(np.sqrt(0.2 / 50), rel=0.02)
    assert deviations[1] == pytest.approx(np.sqrt(0.5 / 50), rel=0.02)


def test_brightness_and_contrast_by_hand() -> None:
    image = np.array([[[100, 50, 0], [200, 200, 100]]], dtype=np.uint8)
    brighter = corrupt(image, "brightness", 3, np.random.default_rng(0))
    np.testing.assert_array_equal(brighter[0, 0], np.rint(image[0, 0] * (100 + 0.15 * 255) / 100))
    flat = corrupt(image, "contrast", 2, np.random.default_rng(0))
    np.testing.assert_array_equal(flat[0, :, 0], [125, 175])


def test_pixelation_is_the_mean_of_each_block() -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    corrupted = corrupt(image, "pixelation", 4, np.random.default_rng(0))  # 24 blocks of 4 pixels
    means = image.reshape(24, 4, 24, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(corrupted, means.repeat(4, axis=0).repeat(4, axis=1), atol=0.51)


@pytest.mark.parametrize("kind", ["defocus blur", "motion blur"])
def test_a_blur_keeps_flat_areas_and_the_mean_of_a_point(kind: CorruptionKind) -> None:
    flat = np.full((32, 32, 3), 77, dtype=np.uint8)
    np.testing.assert_array_equal(corrupt(flat, kind, 5, np.random.default_rng(0)), flat)
    point = np.zeros((65, 65, 3), dtype=np.uint8)
    point[30:34, 30:34] = 255
    blurred = corrupt(point, kind, 3, np.random.default_rng(1)).astype(float)
    assert blurred.sum() == pytest.approx(point.sum(), rel=0.03)
    assert blurred.max() < 255


@pytest.mark.parametrize("kind", ["defocus blur", "pixelation"])
def test_a_large_image_looks_as_corrupted_as_a_small_one(kind: CorruptionKind) -> None:
    def lost(side: int) -> float:
        """Share of the contrast of stripes, eight to the side, that is lost."""
        wave = np.sin(2 * np.pi * 8 * (np.arange(side) + 0.5) / side)
        image = np.rint(127.5 + 100 * np.broadcast_to(wave[None, :, None], (side, side, 3))).astype(np.uint8)
        corrupted = corrupt(image, kind, 5, np.random.default_rng(0)).astype(float)
        return 1 - float((corrupted[:, :, 0] @ wave).mean()) / float((image[:, :, 0] @ wave).mean())

    assert lost(128) == pytest.approx(lost(64), abs=0.06)
    assert lost(64) > 0.1


def test_random_parts_depend_on_seed_and_id_and_on_nothing_else() -> None:
    data = colour_dataset(4, side=32)
    noisy = CorruptedImages(data, "Gaussian noise", 3)
    last = noisy.image(3)
    assert any((noisy.image(k) != CorruptedImages(data, "Gaussian noise", 3).image(k)).any() for k in range(4)) is False
    np.testing.assert_array_equal(noisy.image(3), last)
    assert (CorruptedImages(data, "Gaussian noise", 3, seed=1).image(3) != last).any()
    added = [noisy.image(k).astype(int) - data.image(k) for k in (0, 1)]
    assert (added[0] != added[1]).any()


def test_it_is_a_data_set_with_a_digest_of_its_own() -> None:
    data = colour_dataset(3, side=32)
    variants = [CorruptedImages(data, "fog", 1), CorruptedImages(data, "fog", 2), CorruptedImages(data, "JPEG", 1)]
    variants += [CorruptedImages(data, "fog", 1, seed=1), CorruptedImages(colour_dataset(4, side=32), "fog", 1)]
    assert len({variant.digest for variant in variants}) == len(variants)
    assert CorruptedImages(data, "fog", 1).digest == variants[0].digest
    assert variants[0].ids == tuple(f"{variant} under fog 1" for variant in data.ids)
    assert (variants[0].name, variants[0].split) == ("noise under fog 1", "test")
    np.testing.assert_array_equal(variants[0].labels, data.labels)


def test_the_store_embeds_it(tmp_path) -> None:
    data = CorruptedImages(colour_dataset(3, side=16), "contrast", 5)
    embeddings = embed(FakeModel(), data, tmp_path)
    expected = FakeModel().embed(np.stack([FakeModel().prepare(data.image(k)) for k in range(3)]))
    np.testing.assert_array_equal(embeddings.values, expected)


@pytest.mark.parametrize(("kind", "strength"), [("fog", 0), ("fog", 6), ("rain", 1)])
def test_what_is_no_corruption_is_refused(kind: CorruptionKind, strength: int) -> None:
    with pytest.raises(ValueError, match="strength 1 to 5"):
        CorruptedImages(colour_dataset(1), kind, strength)

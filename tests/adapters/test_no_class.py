"""Inputs of no class: what they keep and lose of an image, seeds, digests, and photographs that may be missing."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conspect.adapters.datasets.drawn import no_class as module
from conspect.adapters.datasets.drawn import photographs
from conspect.adapters.datasets.drawn.no_class import no_class
from conspect.adapters.datasets.drawn.patterns import generator_for, patches_shuffled, phase_scrambled, smooth_noise
from conspect.adapters.store.embeddings import embed
from tests.fakes import FakeModel, colour_dataset

OWN = colour_dataset(6, side=32)
NAMES = ["uniform noise", "clouds", "textures", "scrambled phases", "shuffled patches", "photographs"]


@pytest.fixture
def photograph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    monkeypatch.setattr(photographs, "available", lambda: (tmp_path / "photo.png",))
    return tmp_path / "photo.png"


def test_every_data_set_is_complete_and_repeats(photograph: Path, tmp_path: Path) -> None:
    sets, skipped = no_class(OWN, 5, side=32)
    again, _ = no_class(OWN, 5, side=32)
    assert ([dataset.name for dataset in sets], skipped) == (NAMES, {})
    for dataset, same in zip(sets, again, strict=True):
        assert (len(dataset), len(set(dataset.ids)), dataset.class_names) == (5, 5, ("no class",))
        assert dataset.digest == same.digest
        images = np.stack([dataset.image(k) for k in range(5)])
        assert (images.shape, images.dtype) == ((5, 32, 32, 3), np.dtype(np.uint8))
        np.testing.assert_array_equal(images[::-1], [same.image(k) for k in (4, 3, 2, 1, 0)])
        assert len(np.unique(images.reshape(5, -1), axis=0)) == 5
        assert embed(FakeModel(), dataset, tmp_path / "store").readable.all()


def test_digests_differ_with_all_that_changes_the_images(photograph: Path) -> None:
    calls = [(OWN, 5, 32, 0), (OWN, 5, 32, 1), (OWN, 4, 32, 0), (OWN, 5, 40, 0), (colour_dataset(7, side=32), 5, 32, 0)]
    digests = [
        [dataset.digest for dataset in no_class(data, n, side=side, seed=seed)[0]] for data, n, side, seed in calls
    ]
    columns = np.array(digests).T
    assert [len(set(row)) for row in columns] == [4, 4, 4, 4, 4, 4]
    Image.fromarray(np.zeros((50, 80, 3), np.uint8)).save(photograph)
    assert no_class(OWN, 5, side=32)[0][-1].digest != digests[0][-1]


def test_without_photographs_the_rest_is_there_and_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs, "find_spec", lambda name: None)
    sets, skipped = no_class(OWN, 5, side=32)
    assert [dataset.name for dataset in sets] == NAMES[:-1]
    assert skipped == {"photographs": "neither sklearn nor skimage is installed; each brings some as examples"}


def test_photographs_of_installed_packages_are_found_without_importing_them() -> None:
    if find_spec("sklearn") is None:
        pytest.skip("scikit-learn is not installed")
    names = [path.name for path in photographs.available()]
    assert names[:2] == ["china.jpg", "flower.jpg"]


def test_a_crop_is_a_part_of_the_photograph(photograph: Path) -> None:
    flat = np.zeros((60, 90, 3), dtype=np.uint8)
    flat[:, :] = np.linspace(0, 255, 90)[None, :, None]
    Image.fromarray(flat).save(photograph.with_name("ramp.png"))
    crops = [photographs.crop(generator_for(0, str(k)), photograph.with_name("ramp.png"), 32) for k in range(20)]
    slopes = [float(crop[0, -1, 0]) - float(crop[0, 0, 0]) for crop in crops]
    assert min(slopes) > 255 * 0.2 * 60 / 90 * 0.8  # at least a fifth of the shorter side
    assert max(slopes) < 255 * 60 / 90 * 1.05
    assert np.std([crop.mean() for crop in crops]) > 20


def test_smooth_noise_fills_its_range_and_is_the_smoother_the_larger_its_decay() -> None:
    rough, smooth = (smooth_noise(np.random.default_rng(0), (64, 48), decay=decay) for decay in (1.0, 3.0))
    for noise in (rough, smooth):
        assert (noise.shape, noise.min(), noise.max()) == ((64, 48), 0.0, 1.0)
    assert np.abs(np.diff(smooth)).mean() < 0.5 * np.abs(np.diff(rough)).mean()


def test_scrambled_phases_keep_the_spectrum_and_lose_the_shape() -> None:
    y, x = np.mgrid[:32, :32]
    disc = np.where(np.hypot(y - 16, x - 16) < 8, 140, 100).astype(np.uint8)
    image = np.repeat(disc[:, :, None], 3, axis=2)
    scrambled = phase_scrambled(np.random.default_rng(0), image)
    amplitudes = [np.abs(np.fft.fft2(picture[:, :, 0].astype(float))) for picture in (image, scrambled)]
    assert np.corrcoef(np.log(amplitudes[0].ravel() + 20), np.log(amplitudes[1].ravel() + 20))[0, 1] > 0.95
    assert scrambled.mean() == pytest.approx(image.mean(), abs=0.5)
    many = [phase_scrambled(np.random.default_rng(k), image)[:, :, 0].ravel() for k in range(40)]
    assert abs(np.mean([np.corrcoef(image[:, :, 0].ravel(), picture)[0, 1] for picture in many])) < 0.15


def test_shuffled_patches_are_the_same_patches() -> None:
    image = OWN.image(0)
    shuffled = patches_shuffled(np.random.default_rng(0), image, patches=4)

    def patches(picture: np.ndarray) -> set[bytes]:
        return {picture[y : y + 8, x : x + 8].tobytes() for y in range(0, 32, 8) for x in range(0, 32, 8)}

    assert patches(shuffled) == patches(image)
    assert (shuffled != image).any()
    assert patches_shuffled(np.random.default_rng(0), np.zeros((33, 50, 3), np.uint8)).shape == (32, 48, 3)
    with pytest.raises(ValueError, match="has no 8 x 8 patches"):
        patches_shuffled(np.random.default_rng(0), np.zeros((7, 9, 3), np.uint8))


def test_own_images_are_used_as_far_as_they_go(photograph: Path) -> None:
    sets, _ = no_class(OWN, 10, side=32)
    assert [len(dataset) for dataset in sets] == [10, 10, 10, 6, 6, 10]
    assert module.CLASS_NAMES == ("no class",)

"""Ordinary changes: what each does to pixels by value, what is refused, and that changed images are an own data set."""

from pathlib import Path

import numpy as np
import pytest

from conspect.adapters.datasets.views.changes import KINDS, ChangedImages, all_pictures, changes_misfits, pictures_of
from conspect.adapters.store.embeddings import embed
from conspect.core.diagnostics import UserError
from tests.fakes import FakeModel, colour_dataset

EVERY = (
    "mirror", "shift 1", "crop 90%", "rotation 5", "brightness 10%", "contrast 10%", "blur 0.5", "noise 1%", "jpeg 80",
)  # fmt: skip
RAMP = np.broadcast_to(np.arange(0, 240, 10, dtype=np.uint8)[None, :, None], (16, 24, 3)).copy()


def changed(name: str, image: np.ndarray = RAMP) -> dict[str, np.ndarray]:
    return {picture.words: picture.change(image, np.random.default_rng(0)) for picture in pictures_of(name)}


def test_every_kind_is_tried_here() -> None:
    assert [name.split()[0] for name in EVERY] == list(KINDS)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("shape", [(32, 32, 3), (7, 50, 3), (1, 1, 3)])
def test_shape_and_type_stay_and_the_original_is_left_alone(name: str, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    before = image.copy()
    pictures = changed(name, image)
    assert pictures
    assert all(picture.shape == shape and picture.dtype == np.uint8 for picture in pictures.values())
    assert (image == before).all()


def test_mirror_and_shift_move_pixels() -> None:
    assert (changed("mirror")["mirrored"] == RAMP[:, ::-1]).all()
    moved = changed("shift 2")
    assert set(moved) == {f"shifted {where} by 2 pixels" for where in ("left", "right", "up", "down")}
    assert (moved["shifted left by 2 pixels"][:, :-2] == RAMP[:, 2:]).all()
    assert (moved["shifted left by 2 pixels"][:, -2:] == RAMP[:, -1:]).all()
    assert (moved["shifted right by 2 pixels"][:, 2:] == RAMP[:, :-2]).all()
    column = RAMP.transpose(1, 0, 2)
    assert (changed("shift 1", column)["shifted up by 1 pixel"][:-1] == column[1:]).all()
    assert (changed("shift 1", column)["shifted down by 1 pixel"][1:] == column[:-1]).all()


def test_brightness_and_contrast_scale_pixels() -> None:
    light = changed("brightness 10%")
    assert light["10% brighter"][0, 10, 0] == 110
    assert light["10% brighter"].max() == 253
    assert light["10% darker"][0, 10, 0] == 90
    mean = RAMP.mean()
    contrast = changed("contrast 10%")
    assert contrast["with 10% more contrast"][0, 10, 0] == round((100 - mean) * 1.1 + mean)
    assert contrast["with 10% less contrast"].mean() == pytest.approx(mean, abs=0.5)


def test_noise_has_its_deviation_and_depends_on_the_image_alone() -> None:
    grey = np.full((100, 100, 3), 128, dtype=np.uint8)
    noisy = changed("noise 2%", grey)["with 2% noise"].astype(float) - 128
    assert noisy.std() == pytest.approx(5.1, rel=0.02)
    whole = colour_dataset(3)
    first, other = ChangedImages(whole, ("noise 1%",), 0), ChangedImages(whole, ("noise 1%",), 1)
    assert (first.image(1) == first.image(1)).all()
    assert (first.image(1) != other.image(1)).any()


def test_crop_rotation_blur_and_jpeg_stay_close() -> None:
    scene = np.rint(127 + 100 * np.sin(np.add.outer(np.arange(32), np.arange(32)) / 5))[:, :, None].repeat(3, 2)
    scene = scene.astype(np.uint8)
    for name in ("crop 90%", "rotation 5", "blur 0.5", "jpeg 80"):
        distances = [np.abs(picture.astype(float) - scene).mean() for picture in changed(name, scene).values()]
        assert distances
        assert all(0 < distance < 30 for distance in distances)
    turned = changed("rotation 45", scene)
    assert set(turned) == {"turned left by 45°", "turned right by 45°"}
    assert min(int(picture.min()) for picture in turned.values()) >= 27  # no black corners


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("mirr",), "'mirr' is no change"),
        (("mirror 3",), "has an amount it does not take"),
        (("shift",), "or none"),
        (("shift 1%",), "has an amount it does not take"),
        (("brightness 10",), "has an amount it does not take"),
        (("brightness 95%",), "is out of range"),
        (("jpeg 0",), "is out of range"),
        ((), "changes is empty"),
        (("mirror", "mirror"), "twice"),
        (("shift 1 ",), "is no change"),
    ],
)
def test_what_is_no_change_is_told(names: tuple[str, ...], problem: str) -> None:
    misfits = changes_misfits(names)
    assert problem in misfits[0].diagnostics[0].problem
    assert {misfit.diagnostics[0].code for misfit in misfits} == {"STUDY002"}
    with pytest.raises(UserError, match="STUDY002"):
        all_pictures(names)


def test_a_function_of_ones_own_is_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_changes.py").write_text(
        "import numpy as np\n"
        "def red(image):\n    image[:, :, 0] = 255\n    return image\n"
        "def flat(image):\n    return image[0]\n"
        "def broken(image):\n    raise RuntimeError('no light')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    red = ChangedImages(colour_dataset(2), ("own_changes:red",))
    assert (red.image(0)[:, :, 0] == 255).all()
    assert red.ids[0] == "000000, changed by own_changes:red"
    for name, told in (("flat", "gives no image"), ("broken", "no light"), ("absent", "cannot be imported")):
        with pytest.raises(UserError, match=told) as caught:
            ChangedImages(colour_dataset(2), (f"own_changes:{name}",)).image(0)
        assert caught.value.diagnostics[0].code == "STUDY008"


def test_changed_images_are_a_data_set_that_the_store_keeps(tmp_path: Path) -> None:
    whole = colour_dataset(5)
    variants = ChangedImages(whole, ("mirror", "brightness 10%"))
    assert len(variants) == len(variants.ids) == len(variants.labels) == 15
    assert variants.ids[3:6] == ("000001, mirrored", "000001, 10% brighter", "000001, 10% darker")
    assert (variants.image(3) == whole.image(1)[:, ::-1]).all()
    assert variants.digest != ChangedImages(whole, ("mirror",)).digest != ChangedImages(whole, ("mirror",), 1).digest
    first = embed(FakeModel(), variants, tmp_path)
    second = embed(FakeModel(), variants, tmp_path)
    assert (first.values == second.values).all()
    assert len(list(tmp_path.iterdir())) == 1

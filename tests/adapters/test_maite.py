"""MAITE's data sets: there and back, against the protocol of the package itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conspect.adapters.datasets.arrays import ArrayDataset
from conspect.adapters.datasets.maite import MaiteDataset, from_maite
from conspect.core.diagnostics import UserError
from conspect.core.protocols import UnreadableImage

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 4, 6, 3), dtype=np.uint8)
OURS = ArrayDataset(
    "mine", "test", ("cat", "dog"), ("a", "b", "c"), np.array([1, 0, 1]), PIXELS, {"weather": ("sun", None, "rain")}
)


class Theirs:
    """A MAITE data set that is not ours: floats, grey images, numbers in the metadata."""

    metadata: dict[str, Any] = {"id": "theirs", "index2label": {0: "cat", 1: "dog"}}  # noqa: RUF012

    def __init__(self, images: list[Any], targets: list[Any]) -> None:
        self.images, self.targets = images, targets

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, Any, dict[str, Any]]:
        return self.images[index], self.targets[index], {"id": 10 + index, "altitude": 100 * index}


def test_ours_fulfils_maites_protocol() -> None:
    protocols = pytest.importorskip("maite.protocols.image_classification")
    assert isinstance(MaiteDataset(OURS), protocols.Dataset)


def test_there_and_back_is_the_same_data_set() -> None:
    theirs = MaiteDataset(OURS)
    image, target, about = theirs[0]
    assert (image.shape, image.dtype) == ((3, 4, 6), np.dtype(np.uint8))
    assert target.tolist() == [0.0, 1.0]
    assert about == {"weather": "sun", "id": "a"}
    assert [len(list(theirs)), theirs.metadata["index2label"]] == [3, {0: "cat", 1: "dog"}]  # type: ignore[call-overload]
    again = from_maite(theirs, split="test")
    assert (again.ids, again.class_names, again.labels.tolist()) == (OURS.ids, OURS.class_names, OURS.labels.tolist())
    assert again.metadata == OURS.metadata
    assert all(np.array_equal(again.image(row), PIXELS[row]) for row in range(3))


def test_floats_grey_images_and_scores_are_understood() -> None:
    grey = np.array([[[0.0, 0.5, 1.0]]])
    dataset = from_maite(Theirs([grey, grey[[0, 0, 0]]], [[0.2, 0.8], [1.0, 0.0]]), split="val", white=1.0)
    for row in range(2):
        assert dataset.image(row).tolist() == [[[0, 0, 0], [128, 128, 128], [255, 255, 255]]]
    assert (dataset.labels.tolist(), dataset.ids, dataset.name) == ([1, 0], ("10", "11"), "theirs")
    assert dataset.metadata == {"altitude": ("0", "100")}


@pytest.mark.parametrize(
    "image", [np.zeros((2, 4, 4)), np.zeros((4, 4)), np.full((3, 2, 2), 256), np.full((3, 2, 2), np.nan), np.array("x")]
)
def test_what_is_no_image_is_unreadable_by_name(image: np.ndarray) -> None:
    with pytest.raises(UnreadableImage, match="DATA006: 10:"):
        from_maite(Theirs([image], [[1, 0]]), split="test", white=255).image(0)


@pytest.mark.parametrize("target", [[1.0], [[1.0, 0.0]], [np.nan, 1.0], 1])
def test_a_target_that_is_not_one_score_for_each_class_is_refused(target: object) -> None:
    with pytest.raises(UserError, match="DATA007"):
        from_maite(Theirs([np.zeros((3, 2, 2))], [target]), split="test")


@pytest.mark.parametrize("names", [None, {}, {1: "cat"}, ["cat"], {"0": "cat"}])
def test_classes_that_are_not_named_are_refused(names: object) -> None:
    theirs = Theirs([], [])
    theirs.metadata = {"id": "x", "index2label": names}
    with pytest.raises(UserError, match="DATA007"):
        from_maite(theirs, split="test")


def test_digests_see_pixels() -> None:
    other = ArrayDataset(  # type: ignore[call-arg]
        *[getattr(OURS, name) for name in ("name", "split", "class_names", "ids", "labels")], PIXELS ^ 1
    )
    first, two = (from_maite(MaiteDataset(data), split="test").digest for data in (OURS, other))
    assert first != two


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    "bright", [np.full((3, 2, 2), 200.0), np.full((3, 2, 2), 200, np.uint8)], ids=["float", "uint8"]
)
def test_images_of_which_some_end_at_1_and_others_at_255_are_refused_with_both_readings(
    first: int, bright: np.ndarray
) -> None:
    images = [bright.astype(bright.dtype) for _ in range(40)]
    images[39 * first] = (images[0] > 0).astype(bright.dtype)
    theirs = Theirs(images, [[1, 0]] * 40)
    with pytest.raises(
        UserError, match=f"'{10 + 39 * first}'.*white=255 those would be black, with white=1 the others"
    ):
        from_maite(theirs, split="test")
    assert from_maite(theirs, split="test", white=255).image(39 * first).max() == 1
    images[39 * first] = np.zeros((3, 2, 2), bright.dtype)  # a black image is black either way
    assert from_maite(theirs, split="test").image(1).max() == 200


@pytest.mark.parametrize("target", [[0, 0], [0.5, 0.5], [1, 1], [-2.0, -2.0]])
def test_a_target_that_prefers_no_class_is_refused_and_its_image_named(target: list[float]) -> None:
    theirs = Theirs([np.full((3, 2, 2), 9, np.uint8)] * 2, [[1, 0], target])
    with pytest.raises(UserError, match=r"DATA007: the target of datum 1 \('11'\) gives no class"):
        from_maite(theirs, split="test")


def test_images_with_channels_last_are_refused_at_once_with_what_to_do() -> None:
    class Last:
        metadata = {"id": "x", "index2label": {0: "a", 1: "b"}}  # noqa: RUF012

        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], dict[str, str]]:
            return np.full((8, 9, 3), 200, np.uint8), np.eye(2)[index], {"id": str(index)}

    with pytest.raises(UserError, match=r"(?s)DATA007: .*\[8, 9, 3\], with the channels last.*moveaxis"):
        from_maite(Last(), split="test")

"""This project's preprocessing against transformers' own image processors, by value."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from conspect.adapters.preprocessing import LibraryPreparation, Preprocessing, from_config, read_preprocessing
from conspect.core.diagnostics import UserError
from conspect.core.json_value import JsonObject

PROCESSORS = [
    ("ViTImageProcessorPil", {}),
    ("ConvNextImageProcessorPil", {"size": {"shortest_edge": 96}}),
    ("ConvNextImageProcessorPil", {"size": {"shortest_edge": 384}}),
    ("CLIPImageProcessorPil", {}),
    ("SiglipImageProcessorPil", {"resample": 0}),
    ("BitImageProcessorPil", {"size": {"shortest_edge": 90}, "crop_size": {"height": 81, "width": 73}}),
    ("BitImageProcessorPil", {"do_resize": False, "do_normalize": False}),
    ("EfficientNetImageProcessorPil", {"rescale_factor": 1 / 127.5, "include_top": False}),
]
SIZES = [(60, 90), (90, 61), (300, 200), (40, 40), (37, 129)]


@pytest.mark.parametrize(("name", "options"), PROCESSORS, ids=lambda value: str(value)[:40])
def test_the_values_are_those_of_transformers(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    processor = getattr(transformers, name)(**options)
    processor.save_pretrained(tmp_path)
    ours = read_preprocessing(tmp_path / "preprocessor_config.json")
    for height, width in SIZES:
        image = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
        theirs = processor(images=image, return_tensors="np", input_data_format="channels_last")["pixel_values"][0]
        np.testing.assert_allclose(ours(image), theirs, atol=1e-6)
        assert ours.framed(image).shape[:2] == theirs.shape[1:]


OLD = [
    (kind, change)
    for kind in (
        "Beit", "Bit", "Blip", "ChineseCLIP", "CLIP", "ConvNext", "DeiT", "Levit", "MobileNetV1", "MobileNetV2", "Pvt", "Siglip",
        "ViT",
    )
    for change in (
        {}, {"size": 96}, {"size": 96, "crop_size": 80, "do_center_crop": True}, {"size": {"height": 50, "width": 70}},
        {"size": 224, "crop_pct": 0.9},
        {"size": {"shortest_edge": 96}}, {"size": 384, "resample": 0}, {"do_normalize": False, "rescale_factor": 1 / 127.5},
    )
]  # fmt: skip


@pytest.mark.parametrize(("kind", "change"), OLD, ids=str)
@pytest.mark.parametrize("form", ["feature_extractor_type", "image_processor_type"])
def test_a_file_means_what_its_type_means_to_transformers_or_is_refused(
    kind: str, change: dict[str, Any], form: str, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    ending = "FeatureExtractor" if form.startswith("feature") else "ImageProcessor"
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps({form: kind + ending, **change}))
    image = np.random.default_rng(0).integers(0, 256, (10, 30, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(tmp_path, backend="pil", local_files_only=True)
        processed = processor(images=image, return_tensors="np", input_data_format="channels_last")
        theirs = np.asarray(processed["pixel_values"][0])
    except (ValueError, KeyError, TypeError, OSError, AttributeError) as error:
        pytest.skip(f"transformers does not take it: {error}")
    try:
        ours = read_preprocessing(path)(image)
    except UserError:
        return
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_type_that_is_not_known_and_a_size_that_no_type_explains_are_refused() -> None:
    with pytest.raises(ValueError, match="type 'PerceiverImageProcessor' is not known"):
        from_config({"image_processor_type": "PerceiverImageProcessor"})
    with pytest.raises(ValueError, match="size 224 is the shorter edge of some processors"):
        from_config({"size": 224, "do_normalize": False})
    assert from_config({"size": 224, "default_to_square": False, "do_normalize": False}).resize == 224


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"size": {"longest_edge": 5}}, "neither height and width nor shortest_edge"),
        ({"size": {"height": 0, "width": 5}}, "whole numbers from 1"),
        ({"size": True}, "neither"),
        ({"do_pad": True}, "unknown steps: do_pad"),
        ({"include_top": True, "rescale_offset": True}, "unknown steps: include_top, rescale_offset"),
        ({"image_mean": [0.5, 0.5]}, "not three numbers"),
        ({"image_mean": None}, "not three numbers"),
        ({"resample": 17}, "17 is not a valid Resampling"),
        ({"crop_pct": 0.9}, "crop_pct needs"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    good: JsonObject = {"size": {"height": 8, "width": 8}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    assert from_config(good).side == (8, 8)
    (tmp_path / "p.json").write_text(json.dumps({**good, **change}))
    with pytest.raises(UserError, match=rf"p\.json: MODEL002: not a preprocessing: .*{told}"):
        read_preprocessing(tmp_path / "p.json")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"size": 8}', "\x00"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(UserError, match="MODEL002"):
        read_preprocessing(tmp_path / "p.json")
    with pytest.raises(UserError, match="MODEL002"):
        read_preprocessing(tmp_path / "missing.json")


@given(
    st.sampled_from([8, (8, 8), (6, 9), None]),
    st.sampled_from([None, (8, 8), (6, 9), (5, 7)]),
    st.integers(5, 20),
    st.integers(5, 20),
)
def test_a_framed_image_stays_as_it_is_where_that_is_promised(resize: Any, crop: Any, height: int, width: int) -> None:
    steps = Preprocessing(resize, crop)
    assume(steps.keeps_framed)
    image = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    once = steps.framed(image)
    assert once.shape[:2] == steps.side
    assert np.array_equal(steps.framed(once), once)


def test_a_reading_that_disagrees_with_the_library_is_not_kept() -> None:
    wrong = LibraryPreparation.checked(Preprocessing((8, 8)), lambda: Preprocessing((8, 8), filter=0), "their words")
    right = LibraryPreparation.checked(Preprocessing((8, 8)), lambda: Preprocessing((8, 8)), "their words")
    assert (wrong.reading, wrong.sentence) == (None, "their words")
    assert right.reading == Preprocessing((8, 8))
    assert "resized to 8 x 8" in right.sentence

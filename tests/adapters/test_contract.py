"""One contract for every adapter and for deterministic fakes. What cannot be run is listed at the end of the test run."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conspect.adapters.runtimes.torch_runtime import TOLERANCES
from conspect.analysis.prompts import concept_directions
from conspect.core.concepts import Concept
from conspect.core.statements import statement_of
from tests.adapters.cases import MODELS, VLMS, Case, pictures
from tests.conftest import COULD_NOT_RUN

EQUAL = 1e-5
TEXTS = ("a photo of a cat", "a truck with wheels", "word " * 200, "", "naïve cat")


class Opened:
    """A case made once: how to open it, what its library says, and the adapter as opened first."""

    def __init__(self, case: Case, folder: Path, seed: int = 0) -> None:
        folder.mkdir()
        self.case, self.folder = case, folder
        self.open, self.library = case.make(folder, seed)
        self.adapter: Any = self.open()

    def prepared(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.stack([self.adapter.prepare(image) for image in images])


def opened(request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> Opened:
    case: Case = request.param
    if case.missing:
        pytest.skip(f"{COULD_NOT_RUN} {case.name}: {', '.join(case.missing)} not installed")
    return Opened(case, folders.mktemp("adapters") / "case")


@pytest.fixture(scope="module", params=MODELS, ids=lambda case: case.name)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return opened(request, tmp_path_factory)


@pytest.fixture(scope="module", params=VLMS, ids=lambda case: case.name)
def vlm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return opened(request, tmp_path_factory)


def encoder_keeps_its_word(opened: Opened) -> None:
    """What models and VLMs have in common."""
    adapter, images = opened.adapter, pictures(7)
    assert adapter.name
    assert len(adapter.preprocessing) > 5
    assert adapter.digest
    batch = opened.prepared(images)
    assert batch.dtype == np.float32
    with ThreadPoolExecutor(4) as pool:
        for prepared, wanted in zip(pool.map(adapter.prepare, images * 4), list(batch) * 4, strict=True):
            assert np.array_equal(prepared, wanted)
    embeddings = adapter.embed(batch)
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (7, adapter.embedding_size)
    assert np.isfinite(embeddings).all()
    scale = np.abs(embeddings).max()
    assert scale > 0
    alone = np.concatenate([adapter.embed(batch[row : row + 1]) for row in range(7)])
    np.testing.assert_allclose(alone, embeddings, rtol=0, atol=EQUAL * scale)
    again = opened.open()
    assert again.digest == adapter.digest
    assert np.array_equal(again.embed(batch), embeddings)
    statement = statement_of(adapter)
    assert statement.library
    assert all(isinstance(line, str) and line for line in (*statement.checked, *statement.cannot))


def test_a_model_keeps_its_word(model: Opened) -> None:
    encoder_keeps_its_word(model)
    assert model.adapter.head.classes == len(model.adapter.class_names)
    assert len(set(model.adapter.class_names)) == len(model.adapter.class_names)
    assert model.adapter.head.layers[0].weight.shape[1] == model.adapter.embedding_size


def test_a_models_logits_are_its_librarys_own(model: Opened, record_property: Any) -> None:
    images = pictures(6, seed=1)
    wanted = np.asarray(model.library(images), dtype=np.float64)
    logits = model.adapter.head.logits(model.adapter.embed(model.prepared(images)))
    off = np.abs(logits - wanted).max() / np.abs(wanted).max()
    record_property("largest_difference", float(off))
    assert wanted.shape == (6, len(model.adapter.class_names))
    assert np.ptp(wanted) > 0
    assert off <= EQUAL


def test_a_vlm_keeps_its_word(vlm: Opened) -> None:
    encoder_keeps_its_word(vlm)
    units = vlm.adapter.embed_texts(TEXTS)
    assert units.dtype == np.float32
    assert units.shape == (len(TEXTS), vlm.adapter.embedding_size)
    np.testing.assert_allclose(np.linalg.norm(units, axis=1), 1, atol=EQUAL)
    np.testing.assert_allclose(vlm.adapter.embed_texts(TEXTS[1:2]), units[1:2], atol=EQUAL)
    assert vlm.adapter.embed_texts([]).shape == (0, vlm.adapter.embedding_size) or vlm.case.name == "fake"


def test_a_vlms_logits_are_its_librarys_own(vlm: Opened, record_property: Any) -> None:
    if vlm.library is None:
        pytest.skip("this project's own VLM is its library")
    images = pictures(6, seed=1)
    wanted = np.asarray(vlm.library(images, TEXTS), dtype=np.float64)
    vectors = vlm.adapter.embed(vlm.prepared(images)).astype(np.float64)
    cosines = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) @ vlm.adapter.embed_texts(TEXTS).T
    scale, bias = getattr(vlm.adapter, "logit_scale", None) or 1.0, getattr(vlm.adapter, "logit_bias", 0.0)
    off = np.abs(scale * cosines + bias - wanted).max() / np.abs(wanted).max()
    record_property("largest_difference", float(off))
    assert wanted.shape == (6, len(TEXTS))
    assert np.ptp(wanted) > 0
    assert off <= EQUAL


def other_weights(opened: Opened, folder: Path) -> None:
    if not opened.case.seeded:
        pytest.skip("its weights are given")
    assert Opened(opened.case, folder / "other", seed=1).adapter.digest != opened.adapter.digest


def test_a_models_digest_sees_its_weights(model: Opened, tmp_path: Path) -> None:
    other_weights(model, tmp_path)


def test_a_vlms_digest_sees_its_weights(vlm: Opened, tmp_path: Path) -> None:
    other_weights(vlm, tmp_path)


def mixed_precision(opened: Opened, precision: str) -> None:
    if not opened.case.torch:
        pytest.skip("it runs in one precision")
    batch = opened.prepared(pictures(1, seed=2))
    full, mixed = opened.adapter, opened.open(precision=precision)
    assert mixed.digest != full.digest
    assert statement_of(mixed).precision == precision
    wanted, halved = full.embed(batch), mixed.embed(batch)
    assert halved.dtype == np.float32
    off = np.abs(halved - wanted).max() / np.abs(wanted).max()
    assert 0 < off <= TOLERANCES[precision]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_model_in_mixed_precision_stays_within_the_stated_tolerance(model: Opened, precision: str) -> None:
    mixed_precision(model, precision)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_vlm_in_mixed_precision_stays_within_the_stated_tolerance(vlm: Opened, precision: str) -> None:
    mixed_precision(vlm, precision)


def test_a_model_can_be_attacked_or_says_that_it_cannot(model: Opened) -> None:
    if not hasattr(model.adapter, "differentiable"):
        assert model.case.name == "fake" or any("attacked" in line for line in statement_of(model.adapter).cannot)
        return
    import torch

    framed = np.stack([model.adapter.framed(image) for image in pictures(4, seed=3)])
    batch = model.prepared(list(framed))
    np.testing.assert_allclose(batch, model.prepared(pictures(4, seed=3)), atol=EQUAL)
    images = (torch.from_numpy(framed).permute(0, 3, 1, 2).float() / 255).requires_grad_(True)
    embeddings, logits = model.adapter.differentiable()(images)
    np.testing.assert_allclose(embeddings.detach().numpy(), model.adapter.embed(batch), atol=1e-4)
    np.testing.assert_allclose(
        logits.detach().numpy(), model.adapter.head.logits(model.adapter.embed(batch)), atol=1e-3
    )
    logits[:, 0].sum().backward()
    assert images.grad is not None
    assert float(images.grad.abs().sum()) > 0


def test_directions_are_those_of_open_clips_zero_shot_classifier(vlm: Opened) -> None:
    """Each text to length 1, then the mean over templates, then to length 1 again."""
    if not vlm.case.name.startswith("open_clip"):
        pytest.skip("another library")
    import open_clip

    name, templates = f"local-dir:{vlm.folder}", ["a photo of a {}", "a bad drawing of the {}", "{}"]
    network = open_clip.create_model(name, require_pretrained=True).eval()
    words = ["cat", "truck", "wheels"]
    wanted = open_clip.build_zero_shot_classifier(network, open_clip.get_tokenizer(name), words, templates).T.numpy()
    directions = concept_directions([Concept(w, (w,)) for w in words], tuple(templates), vlm.adapter.embed_texts)
    np.testing.assert_allclose(directions, wanted, atol=EQUAL)


def test_scores_are_those_of_transformers_zero_shot_pipeline(vlm: Opened) -> None:
    if vlm.case.name not in ("transformers CLIP", "transformers SigLIP"):
        pytest.skip("the pipeline is for CLIP and SigLIP")
    import transformers
    from PIL import Image

    # With torchvision the pipeline would resize images in another way.
    processor = transformers.AutoImageProcessor.from_pretrained(vlm.folder, backend="pil")
    pipe = transformers.pipeline("zero-shot-image-classification", model=str(vlm.folder), image_processor=processor)
    words, picture = ["cat", "truck", "wheels"], pictures(1, seed=4)[0]
    answers = pipe(Image.fromarray(picture), candidate_labels=words, hypothesis_template="a photo of a {}")
    wanted = np.array([next(a["score"] for a in answers if a["label"] == word) for word in words])
    vector = vlm.adapter.embed(vlm.prepared([picture]))[0]
    q = vlm.adapter.embed_texts([f"a photo of a {word}" for word in words])
    logits = vlm.adapter.logit_scale * (q @ vector) / np.linalg.norm(vector) + vlm.adapter.logit_bias
    sigmoid = "SigLIP" in vlm.case.name
    scores = 1 / (1 + np.exp(-logits)) if sigmoid else np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(scores, wanted, atol=EQUAL)

"""The residual network read back from a file, against torch itself."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conspect.adapters.models import load_model
from conspect.adapters.vlms import load_vlm
from conspect.core.diagnostics import UserError

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from conspect.adapters.models.resnet import SmallResNet  # noqa: E402
from conspect.adapters.models.small_resnet import SmallResNetModel  # noqa: E402

MEAN, STD = (120.0, 121.0, 110.0), (60.0, 61.0, 62.0)


@pytest.fixture(scope="module")
def network() -> SmallResNet:
    torch.manual_seed(0)
    made = SmallResNet(3, (4, 6, 8)).eval()
    for module in made.modules():  # statistics that differ from their starting values
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 1.5)
    return made


@pytest.fixture
def saved(network: SmallResNet, tmp_path: Path) -> Path:
    about = {"classes": json.dumps(["a", "b", "c"]), "stage_widths": "[4, 6, 8]"}
    about |= {"mean": json.dumps(MEAN), "std": json.dumps(STD)}
    weights = {k: v.contiguous() for k, v in network.state_dict().items() if v.is_floating_point()}
    save_file(weights, tmp_path / "small.safetensors", metadata=about)
    return tmp_path / "small.safetensors"


def test_head_and_encoder_give_the_logits_of_the_network(network: SmallResNet, saved: Path) -> None:
    model = load_model(None, saved)
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    embeddings = model.embed(np.stack([model.prepare(image) for image in images]))
    assert (model.name, model.class_names, model.embedding_size) == ("small", ("a", "b", "c"), 8)
    assert embeddings.dtype == np.float32
    normalised = torch.from_numpy(
        ((images - np.array(MEAN, dtype=np.float32)) / np.array(STD, dtype=np.float32)).astype(np.float32)
    ).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = network(normalised).numpy()
    np.testing.assert_allclose(model.head.logits(embeddings), expected, atol=1e-4)


def test_an_image_of_another_size_is_resized(saved: Path) -> None:
    model = load_model(None, saved)
    image = np.random.default_rng(1).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    resized = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC))
    assert np.array_equal(model.prepare(image), model.prepare(resized))


def test_the_digest_sees_weights_and_preprocessing(saved: Path, network: SmallResNet, tmp_path: Path) -> None:
    first = SmallResNetModel(saved, name="x").digest
    assert SmallResNetModel(saved, name="y").digest == first
    about = {"classes": '["a", "b", "c"]', "stage_widths": "[4, 6, 8]", "mean": "[0, 0, 0]", "std": json.dumps(STD)}
    weights = {k: v.contiguous() for k, v in network.state_dict().items() if v.is_floating_point()}
    save_file(weights, tmp_path / "other.safetensors", metadata=about)
    assert SmallResNetModel(tmp_path / "other.safetensors", name="x").digest != first


def test_weights_that_do_not_fit_are_refused(saved: Path, network: SmallResNet) -> None:
    about = {"classes": '["a", "b", "c"]', "stage_widths": "[4, 6, 8]", "mean": "[0, 0, 0]", "std": "[1, 1, 1]"}
    weights = {k: v.contiguous() for k, v in network.state_dict().items() if v.is_floating_point()}
    wrong = [
        ({k: v for k, v in weights.items() if k != "head.bias"}, about),
        (weights | {"extra": torch.zeros(3)}, about),
        (weights, about | {"stage_widths": "[4, 6, 9]"}),
        (weights, about | {"classes": '["a"]'}),
        (weights, about | {"stage_widths": "4"}),
    ]
    for content, metadata in wrong:
        save_file(content, saved, metadata=metadata)
        with pytest.raises(UserError, match="MODEL002"):
            load_model(None, saved)


def test_the_shipped_model_has_cifar10s_classes_and_tells_its_accuracy() -> None:
    model = load_model("demo-resnet", None)
    assert model.class_names[0] == "airplane"
    assert model.head.is_linear
    assert model.head.classes == 10


def test_an_unknown_vlm_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"MODEL002.*'clipp'"):
        load_vlm("clipp", cache=tmp_path)

"""Finding a model's head: what is found, what must be named, what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conspect.adapters.models import load_model
from conspect.adapters.models.replay import ENDINGS, confirm, difference
from conspect.adapters.preprocessing import Preprocessing
from conspect.core.diagnostics import UserError
from conspect.core.spaces import Head
from tests.adapters.cases import onnx_classifier, pictures

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from conspect.adapters.models.torch_module import TorchModel, torch_model  # noqa: E402
from tests.adapters.networks import Small  # noqa: E402

STEPS = Preprocessing((16, 16), mean=(0.5, 0.5, 0.5))


def opened(network: Any, head: str | None = None, classes: int = 3) -> TorchModel:
    torch.manual_seed(0)
    return torch_model(network, STEPS, [f"class {k}" for k in range(classes)], name="net", head=head)


def replayed(model: TorchModel, network: Any, ending: Callable[[Any], Any] = lambda x: x) -> float:
    batch = np.stack([model.prepare(image) for image in pictures(5)])
    logits = torch.tensor(model.head.logits(model.embed(batch)))
    with torch.inference_mode():
        return float((ending(logits) - network(torch.tensor(batch))).abs().max())


@pytest.mark.parametrize(
    "end", [nn.Identity(), nn.Softmax(1), nn.LogSoftmax(1), nn.Sigmoid()], ids=lambda end: type(end).__name__
)
def test_the_last_linear_layer_is_found_under_whatever_ends_the_model(end: nn.Module) -> None:
    network = Small(end=end).eval()
    model = opened(network)
    assert model.embedding_size == 7
    assert np.array_equal(model.head.layers[0].weight, network.fc.weight.detach().double().numpy())
    assert replayed(model, network, end) < 1e-5


class Shaped(Small):
    """A small network whose output is put into another form."""

    def __init__(self, form: Callable[[Any], Any]) -> None:
        super().__init__()
        self.form = form

    def forward(self, x: Any) -> Any:
        return self.form(super().forward(x))


@pytest.mark.parametrize(
    "form", [lambda y: {"out": y}, lambda y: (y, None), lambda y: [y]], ids=["dictionary", "tuple", "list"]
)
def test_logits_are_found_in_what_the_model_returns(form: Callable[[Any], Any]) -> None:
    assert opened(Shaped(form).eval()).embedding_size == 7


def test_a_chain_with_relus_can_be_named_and_gives_a_relu_head() -> None:
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(768, 9), nn.ReLU(), nn.Sequential(nn.Linear(9, 6), nn.ReLU(), nn.Linear(6, 3))
    )
    model = opened(network, head="3")
    assert [layer.weight.shape for layer in model.head.layers] == [(6, 9), (3, 6)]
    assert not model.head.is_linear
    assert replayed(model, network) < 1e-5


def test_a_convolution_on_pooled_features_is_found_and_can_be_named() -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(5, 3, 1), nn.Flatten())
    assert replayed(opened(network), network) < 1e-5
    assert replayed(opened(network, head="2"), network) < 1e-5


class Averaged(nn.Module):
    """Two heads whose outputs are averaged: neither is the head."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(768, 3), nn.Linear(768, 3)

    def forward(self, x: Any) -> Any:
        flat = x.flatten(1)
        return (self.first(flat) + self.second(flat)) / 2


class Noisy(Small):
    """Gives something else at every call, even in evaluation mode."""

    def forward(self, x: Any) -> Any:
        return super().forward(x) + torch.randn(len(x), 3)


@pytest.mark.parametrize(
    ("network", "head", "classes", "told"),
    [
        (Averaged(), "first", 3, "MODEL003.*'first' applied to its own input does not give the model's output"),
        (Averaged(), "third", 3, "MODEL003.*no layer called 'third'.*candidates: first"),
        (Small(), "body", 3, "MODEL003.*'body' is a Sequential, which is not a linear layer"),
        (Small(), "hidden", 3, "MODEL003.*'hidden' applied to its own input"),
        (Noisy(), None, 3, "MODEL002.*not a function of one image.*other values each time"),
        (nn.Sequential(nn.Conv2d(3, 4, 3)), None, 3, r"MODEL003.*it returns 0: \[4, 4, 14, 14\]"),
        (Small(), None, 2, "MODEL002.*3 outputs and 2 class names"),
    ],
)
def test_what_does_not_replay_is_refused_with_the_candidates(network: Any, head: str, classes: int, told: str) -> None:
    with pytest.raises(UserError, match=f"(?s){told}"):
        opened(network, head, classes)


class Moody(Small):
    """Replays its head on the images that it is opened with, and not on others."""

    factor = 1.0

    def forward(self, x: Any) -> Any:
        return super().forward(x) * self.factor


def test_the_head_is_replayed_on_every_batch_of_real_images() -> None:
    network = Moody()
    model = opened(network)
    network.factor = 1.01
    with pytest.raises(UserError, match=r"MODEL003.*differ by 0\.0\d+ of the largest output on real images"):
        model.embed(np.stack([model.prepare(image) for image in pictures(3)]))


def test_images_that_give_no_finite_number_are_left_to_the_store() -> None:
    model = opened(Small())
    batch = np.stack([model.prepare(image) for image in pictures(3)])
    batch[1] = np.nan
    assert np.isnan(model.embed(batch)).all(axis=1).tolist() == [False, True, False]


def test_every_ending_keeps_the_order_of_the_logits_and_a_wrong_head_is_seen() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 4))
    for name, ending in ENDINGS.items():
        assert np.array_equal(ending(logits).argsort(1), logits.argsort(1)), name
        assert difference(logits, ending(logits), name) < 1e-12
    with pytest.raises(UserError, match="MODEL003"):
        confirm(Head.linear(np.eye(4), np.ones(4)), logits, logits, "logits", tolerance=1e-4, name="m")


def test_a_node_of_an_onnx_graph_can_be_named_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    load, _ = onnx_classifier(tmp_path, 0, gemm=True, softmax=False, external=False)
    assert load(head="/fc/Gemm").digest == load().digest
    with pytest.raises(UserError, match=r"(?s)MODEL003.*called 'fc'.*candidates: /fc/Gemm \(8 -> 3\)"):
        load(head="fc")


def test_a_network_of_ones_own_must_be_made_by_what_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"size": {"height": 8, "width": 8}, "image_mean": [0,0,0], "image_std": [1,1,1]}')
    options: dict[str, Any] = {"kind": "module", "classes": ("a", "b", "c"), "preprocessing": tmp_path / "p.json"}
    assert load_model("tests.adapters.networks:small", None, **options).embedding_size == 7
    for name in ("tests.adapters.networks:number", "tests.adapters.networks:nothing", "no.such:thing", "", ":", "os"):
        with pytest.raises(UserError, match="MODEL002"):
            load_model(name, None, **options)

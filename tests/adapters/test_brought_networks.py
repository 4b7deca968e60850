"""Networks as people have them: opened, and right, or refused with what they want and what they were given."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conspect.adapters.preprocessing import Preprocessing
from conspect.adapters.runtimes.weights import load_weights
from conspect.core.diagnostics import UserError
from conspect.core.statements import statement_of
from tests.adapters.cases import pictures

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from conspect.adapters.models.torch_module import TorchModel, torch_model  # noqa: E402

STEPS = Preprocessing((16, 16), mean=(0.5, 0.5, 0.5))


def body(channels: int = 3, out: int = 8) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Ends(nn.Module):
    """A body and a linear layer; `end(features, logits)` is what is returned."""

    def __init__(self, end: Any, classes: int = 3) -> None:
        super().__init__()
        self.body, self.fc, self.end = body(), nn.Linear(8, classes), end

    def forward(self, x: Any) -> Any:
        features = self.body(x)
        return self.end(features, self.fc(features))


class Cosine(nn.Module):
    """A head of cosines, written with functions alone."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.weight = body(), nn.Parameter(torch.randn(3, 8))

    def forward(self, x: Any) -> Any:
        return 16 * functional.linear(functional.normalize(self.body(x)), functional.normalize(self.weight))


class Does(nn.Module):
    """A layer that does what it is given."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def with_layer(function: Any) -> nn.Module:
    return nn.Sequential(body(), Does(function), nn.Linear(8, 3))


def pointwise(*after: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), *after, nn.Conv2d(8, 3, 1))


def opened(network: Any, classes: int = 3, **options: Any) -> TorchModel:
    return torch_model(network, STEPS, [f"class {k}" for k in range(classes)], **options)


def outputs(model: TorchModel, network: Any) -> tuple[np.ndarray, Any]:
    batch = np.stack([model.prepare(image) for image in pictures(6, seed=5)])
    with torch.inference_mode():
        return np.asarray(model.head.logits(model.embed(batch))), network(torch.tensor(batch))


NETWORKS: dict[str, tuple[Any, dict[str, Any], Any]] = {
    "temperature": (lambda: Ends(lambda _, z: z / 1.5), {}, lambda r: r),
    "scale and shift": (lambda: Ends(lambda _, z: 3 * z + torch.tensor([1.0, 0, 2])), {}, lambda r: r),
    "temperature in the softmax": (lambda: Ends(lambda _, z: (z / 2).softmax(1)), {}, lambda r: r.log()),
    "features, then logits": (lambda: Ends(lambda f, z: (f, z)), {}, lambda r: r[1]),
    "logits named among others": (lambda: Ends(lambda f, z: {"features": f, "logits": z}), {}, lambda r: r["logits"]),
    "a named output": (lambda: Ends(lambda f, z: (z * 0, z)), {"output": "1"}, lambda r: r[1]),
    "a convolution, logits [n, k, 1, 1]": (lambda: pointwise(nn.AdaptiveAvgPool2d(1)), {}, lambda r: r[:, :, 0, 0]),
    "a convolution, then pooled": (
        lambda: nn.Sequential(pointwise(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        {},
        lambda r: r,
    ),
    "cosines": (Cosine, {}, lambda r: r),
    "a matrix product": (lambda: Ends(lambda f, _: f @ torch.ones(8, 3).tril()), {}, lambda r: r),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_head_is_found_with_all_that_follows_it_folded_in(name: str) -> None:
    torch.manual_seed(0)
    make, options, logits_of = NETWORKS[name]
    network = make().eval()
    model = opened(network, **options)
    logits, returned = outputs(model, network)
    wanted = logits_of(returned).numpy()
    if "softmax" in name:
        logits, wanted = (scores - scores.mean(1, keepdims=True) for scores in (logits, wanted))
    np.testing.assert_allclose(logits, wanted, atol=1e-4)
    assert not model.head.is_identity


@pytest.mark.parametrize("end", [lambda z: z, lambda z: z[:, 0], torch.sigmoid], ids=["[n, 1]", "[n]", "a share"])
def test_one_logit_is_two_classes_and_speaks_for_the_second(end: Any) -> None:
    torch.manual_seed(0)
    network = Ends(lambda _, z: end(z - 0.1), classes=1).eval()
    model = opened(network, 2)
    logits, returned = outputs(model, network)
    assert logits.shape == (6, 2)
    threshold = 0.5 if end is torch.sigmoid else 0.0
    assert np.array_equal(logits.argmax(1), (returned.reshape(-1) > threshold).int().numpy())
    with pytest.raises(
        UserError, match=r"(?s)MODEL002.*1 output, which speaks for 2 classes, and 1 class name\n.*two for one logit"
    ):
        opened(network, 1)


def test_a_network_without_a_head_is_studied_by_its_outputs_and_says_so() -> None:
    network = Ends(lambda f, z: torch.tanh(z) + f[:, :3] ** 2).eval()
    model = opened(network)
    logits, returned = outputs(model, network)
    np.testing.assert_allclose(logits, returned.numpy(), atol=1e-5)
    assert model.head.is_identity
    assert any("tell head and encoder apart" in line for line in statement_of(model).cannot)
    shares = opened(Ends(lambda f, z: (torch.tanh(z) + f[:, :3] ** 2).softmax(1)).eval())
    scores, returned = outputs(shares, shares._network)
    np.testing.assert_allclose(np.exp(scores), returned.numpy(), atol=1e-5)


class Statistics(nn.Module):
    """Batch norms without records: what they give depends on the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.fc = (
            nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, track_running_stats=False)),
            nn.Linear(8, 3),
        )

    def forward(self, x: Any) -> Any:
        return self.fc(torch.relu(self.body(x)).mean((2, 3)))


class Remembers(Ends):
    """Adds to every answer a little of how many images it has seen."""

    seen = 0

    def forward(self, x: Any) -> Any:
        self.seen += len(x)
        return super().forward(x + 0.05 * self.seen)


def keep(_features: Any, logits: Any) -> Any:
    return logits


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda: Ends(lambda f, z: functional.linear(functional.dropout(f, 0.5), torch.ones(3, 8))),
            "other values each time",
        ),
        (
            lambda: with_layer(functional.dropout),
            "other values each time",
        ),
        (Statistics, "depends on the other images"),
        (lambda: Remembers(keep), "other values each time"),
        (
            lambda: with_layer(lambda x: x - x.mean(0)),
            "depends on the other images",
        ),
    ],
    ids=[
        "dropout of a function",
        "dropout in a layer of one's own",
        "batch statistics",
        "memory",
        "the mean of the batch",
    ],
)
def test_what_is_not_a_function_of_one_image_is_refused(make: Any, told: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(UserError, match=f"(?s)MODEL00[23].*{told}"):
        opened(make())


def test_a_network_that_loses_the_axis_of_a_batch_of_one_works_and_says_so() -> None:
    network = Ends(lambda _, z: z.squeeze()).eval()
    model = opened(network)
    batch = np.stack([model.prepare(image) for image in pictures(3)])
    np.testing.assert_allclose(model.embed(batch[:1]), model.embed(batch)[:1], atol=1e-5)
    assert any("one image is computed as two" in line for line in statement_of(model).checked)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_a_network_of_another_precision_is_fed_in_its_own(kind: Any) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(body(), nn.Linear(8, 3)).eval()
    plain = opened(network)
    batch = np.stack([plain.prepare(image) for image in pictures(3)])
    wanted = plain.embed(batch)
    model = opened(network.to(kind))
    np.testing.assert_allclose(model.embed(batch), wanted, rtol=0, atol=5e-2 * np.abs(wanted).max())
    assert str(kind).removeprefix("torch.") in statement_of(model).precision


def test_a_network_of_one_channel_gets_grey_images() -> None:
    model = opened(nn.Sequential(body(1), nn.Linear(8, 3)))
    red = np.zeros((20, 20, 3), np.uint8)
    red[..., 0] = 200
    assert model.prepare(red).shape == (1, 16, 16)
    np.testing.assert_allclose(model.prepare(red), (60 / 255) - 0.5, atol=1e-5)
    assert any("one channel" in line for line in statement_of(model).checked)


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (
            nn.Sequential(nn.Flatten(), nn.Linear(3 * 28 * 28, 3)),
            r"take \[4, 3, 16, 16\] float32; its first linear layer takes 2,352",
        ),
        (nn.Sequential(body(5), nn.Linear(8, 3)), "its first convolution takes 5 channels"),
        (
            with_layer(lambda _: dict[str, Any]()["x"]),
            "KeyError",
        ),
    ],
    ids=["size", "channels", "a fault of its own"],
)
def test_what_the_network_does_not_take_is_told_in_one_message(network: Any, told: str) -> None:
    with pytest.raises(UserError, match=f"(?s)MODEL002.*{told}"):
        opened(network)


def test_a_preprocessing_without_a_fixed_size_is_told() -> None:
    with pytest.raises(UserError, match=r"(?s)MODEL002.*no fixed size.*\[3, 16, 16\]"):
        torch_model(nn.Sequential(body(), nn.Linear(8, 3)), Preprocessing(16), ("a", "b", "c"))


def test_two_classes_of_one_name_are_refused() -> None:
    with pytest.raises(UserError, match=r"(?s)MODEL002.*2 classes called 'crane', numbers 0, 2"):
        torch_model(nn.Sequential(body(), nn.Linear(8, 3)), STEPS, ("crane", "bird", "crane"))


class Offset(nn.Module):
    """One linear layer after a subtraction that no state dict shows."""

    def __init__(self, attribute: float = 0.0, buffer: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attribute, self.fc = attribute, nn.Linear(3, 3)
        self.register_buffer("hidden", torch.tensor([buffer, 0.0, 0.0]), persistent=False)

    def forward(self, x: Any) -> Any:
        return self.fc(x.mean((2, 3)) - self.attribute - self.hidden)


class Doubled(Offset):
    """The same weights and attributes, another function."""

    def forward(self, x: Any) -> Any:
        return self.fc(2 * x.mean((2, 3)))


def test_the_digest_covers_the_function_and_not_the_weights_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    patched = Offset()
    monkeypatch.setattr(patched, "forward", lambda x: patched.fc(x.mean((2, 3)) * 1.5))
    networks = [Offset(), Offset(attribute=1e-6), Offset(buffer=1e-6), Doubled(), patched]
    digests = [opened(network).digest for network in networks]
    assert len(set(digests)) == len(digests)
    assert opened(Offset()).digest == digests[0]
    hidden = {"value": 0.0}
    reading = type("Reading", (Offset,), {"forward": lambda self, x: self.fc(x.mean((2, 3)) - hidden["value"])})
    before = opened(reading()).digest
    hidden["value"] = 0.1
    assert opened(reading()).digest != before


PREFIXES = ("", "module.", "_orig_mod.", "model.", "module._orig_mod.", "net.backbone.", "student.")


@pytest.mark.parametrize("inside", [None, "state_dict", "state_dict_ema", "model_state_dict", "ema"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_checkpoints_are_read_as_training_scripts_write_them(tmp_path: Path, prefix: str, inside: str | None) -> None:
    torch.manual_seed(0)
    network, other = nn.Sequential(body(), nn.Linear(8, 3)), nn.Sequential(body(), nn.Linear(8, 3))
    state = {prefix + name: value for name, value in network.state_dict().items()}
    torch.save(state if inside is None else {inside: state, "epoch": 3}, tmp_path / "w.pth")
    load_weights(other, tmp_path / "w.pth")
    assert len(state) >= 4
    assert all(torch.equal(other.state_dict()[name], value) for name, value in network.state_dict().items())


def test_a_refused_pickle_names_what_it_asks_for(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "args": argparse.Namespace(lr=1)}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"MODEL002.*it asks for argparse\.Namespace"):
        load_weights(nn.Linear(2, 2), tmp_path / "w.pth")


NO_LOGITS = {
    "sorted down": lambda _, z: z.sort(1, descending=True)[0],
    "sorted up": lambda _, z: z.sort(1)[0],
    "argsort": lambda _, z: z.argsort(1).float(),
    "one-hot": lambda _, z: functional.one_hot(z.argmax(1), 3).float(),
}


@pytest.mark.parametrize("end", NO_LOGITS.values(), ids=NO_LOGITS)
def test_outputs_that_say_only_which_class_is_largest_are_refused(end: Any) -> None:
    torch.manual_seed(0)
    network = Ends(end)
    with torch.no_grad():  # another order of the classes for bright images than for dark ones
        network.fc.weight[2] += 9
        network.fc.bias[2] -= 3
    with pytest.raises(UserError, match=r"MODEL002.*gives no logits"):
        opened(network)


RANDOM = {
    "a whole batch, seldom": lambda _, z: z * 2 if torch.rand(()) < 1e-6 else z,
    "dropout": lambda _, z: functional.dropout(z, 1e-6, True),
    "NumPy": lambda _, z: z + 1e-9 * np.random.random(),
}


@pytest.mark.parametrize("end", RANDOM.values(), ids=RANDOM)
def test_random_numbers_are_seen_where_the_probes_do_not_show_them(end: Any) -> None:
    with pytest.raises(UserError, match=r"MODEL002.*draws random numbers"):
        opened(Ends(end))


def test_statistics_of_the_batch_in_functional_form_are_told_as_that() -> None:
    with pytest.raises(UserError, match=r"MODEL002.*statistics of the batch"):
        opened(Ends(lambda _, z: functional.batch_norm(z, None, None, training=True)))


def test_weights_and_outputs_without_plain_values_are_refused() -> None:
    with pytest.raises(UserError, match=r"MODEL002.*has no values: it is on the device meta"):
        opened(Ends(lambda _, z: z).to("meta"))
    with pytest.raises(UserError, match=r"MODEL003.*float32 sparse_coo"):
        opened(Ends(lambda _, z: z.to_sparse()))


def test_a_module_of_torch_export_is_opened() -> None:
    torch.manual_seed(0)
    shapes = ({0: torch.export.Dim("b")},)
    program = torch.export.export(Ends(lambda _, z: z).eval(), (torch.zeros(4, 3, 16, 16),), dynamic_shapes=shapes)
    assert opened(program.module()).head.classes == 3


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda w: (10 * w).to(torch.int8), "int8, not float32"),
        (lambda w: w.to(torch.complex64), "complex64, not float32"),
        (lambda w: w.to_sparse(), "sparse"),
        (lambda w: w.to("meta"), "has no values"),
        (lambda w: torch.quantize_per_tensor(w, 0.1, 0, torch.qint8), "quantised"),
    ],
)
def test_weights_of_another_kind_are_refused_by_name(change: Any, why: str, tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    torch.save(network.state_dict() | {"0.weight": change(network.state_dict()["0.weight"])}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=rf"MODEL002.*0\.weight .*{why}"):
        load_weights(network, tmp_path / "w.pth")

"""Departure from batch norms' records, by value."""

import numpy as np
import pytest
import torch
from torch import nn

from conspect.adapters.models.norm_records import layer_departures
from conspect.adapters.models.torch_module import torch_model
from conspect.adapters.models.weight_marks import layer_marks, module_weights
from conspect.adapters.preprocessing import Preprocessing
from conspect.core.capabilities import records_of


def network() -> nn.Sequential:
    first, second = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    first.running_mean, first.running_var = torch.tensor([1.0, 0.0]), torch.tensor([4.0, 1.0])
    return nn.Sequential(first, nn.Sequential(nn.Conv2d(2, 2, 1), second)).eval()


def test_each_layer_has_its_root_mean_square_shift_in_deviations() -> None:
    layer = network()[:1]
    images = torch.zeros(6, 2, 3, 3)
    images[:, 0] += torch.arange(6.0)[:, None, None]  # mean 2.5
    images[:, 1] += 0.5
    expected = np.sqrt(((1.5 / 2) ** 2 + 0.5**2) / 2)
    (departure,) = layer_departures(layer, images.split(4))
    assert departure.name == "0"
    assert departure.moved == pytest.approx(expected, rel=1e-4)
    # Deviations: of 0 to 5 against 2, and of a constant against 1, both with the layer's epsilon.
    ratios = np.log([(35 / 12 + 1e-5) / (4 + 1e-5), 1e-5 / (1 + 1e-5)]) / 2
    assert departure.spread == pytest.approx(np.sqrt(np.mean(ratios**2)), rel=1e-3)
    assert departure.value == pytest.approx(np.hypot(departure.moved, departure.spread))


def test_layers_stand_in_the_order_of_their_calls_and_batches_do_not_count() -> None:
    torch.manual_seed(0)
    net, images = network(), torch.randn(10, 2, 4, 4)
    net[1][1].running_mean += 50  # type: ignore[index]
    whole = layer_departures(net, [images])
    assert [layer.name for layer in whole] == ["0", "1.1"]
    assert whole[1].moved > 40
    assert whole[0].moved < 2
    parts = layer_departures(net, images.split(3))
    assert [layer.value for layer in parts] == pytest.approx([layer.value for layer in whole])
    assert not net[0]._forward_hooks


def test_a_network_without_batch_norm_has_no_record() -> None:
    assert layer_departures(nn.Sequential(nn.Conv2d(2, 2, 1), nn.GroupNorm(1, 2)), [torch.zeros(1, 2, 3, 3)]) == ()
    assert layer_departures(network(), []) == ()


def test_a_model_of_any_torch_module_can_be_asked() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    steps = Preprocessing((16, 16), mean=(0.5, 0.5, 0.5))
    model = torch_model(module, steps, ("a", "b"))
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    recording = records_of(model)
    assert recording is not None
    (departure,) = recording.departures([np.stack([model.prepare(image) for image in images])])
    assert departure.name == "1"
    assert departure.value > 0


def test_the_norms_of_a_graph_are_read_as_those_of_the_module_it_came_from(tmp_path) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    from conspect.adapters.models.onnx import OnnxModel

    torch.manual_seed(1)
    convolution, norm = nn.Conv2d(3, 8, 9), nn.BatchNorm2d(8)
    module = nn.Sequential(convolution, norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)).eval()
    norm.running_mean = torch.linspace(-2, 2, 8)
    with torch.no_grad():
        convolution.weight[:4] = 0.0
    arrays = {name: value.numpy() for name, value in module.state_dict().items() if value.is_floating_point()}
    nodes = [
        helper.make_node("Conv", ["image", "0.weight", "0.bias"], ["a"], name="conv"),
        helper.make_node(
            "BatchNormalization", ["a", "1.weight", "1.bias", "1.running_mean", "1.running_var"], ["b"], name="norm"
        ),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "5.weight", "5.bias"], ["logits"], name="head", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 16, 16])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    steps = Preprocessing((16, 16), mean=(0.5, 0.5, 0.5))
    model = OnnxModel(path, steps, ("a", "b"), name="graph")
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    batch = np.stack([model.prepare(image) for image in images])
    (expected,) = layer_departures(module, [torch.from_numpy(batch)])
    (departure,) = model.departures([batch[:2], batch[2:]])
    assert departure.name == "norm"
    assert departure.moved == pytest.approx(expected.moved, rel=1e-4)
    assert departure.spread == pytest.approx(expected.spread, rel=1e-3)  # of squares in float32 there
    (mark,) = model.marks()
    assert (mark.name, mark.zeros) == ("conv", 0.5)


def test_marks_of_pruning_and_rounding() -> None:
    torch.manual_seed(0)
    sound, pruned, rounded, small = (nn.Conv2d(16, 32, 3), nn.Conv2d(16, 32, 3), nn.Linear(64, 64), nn.Linear(4, 4))
    with torch.no_grad():
        pruned.weight[:8] = 0.0
        rounded.weight.copy_(torch.round(rounded.weight * 20))
    marks = layer_marks(module_weights(nn.ModuleList([sound, pruned, rounded, small])))
    assert [mark.name for mark in marks] == ["0", "1", "2"]
    assert [mark.zeros for mark in marks[:2]] == [0.0, 0.25]
    assert marks[0].repeated < 0.01
    assert marks[2].repeated == 1.0
    half = sound.half().float()
    assert layer_marks(module_weights(half))[0].repeated < 0.1


class Functional(nn.Module):
    """Normalises with buffers, in a function."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 2)
        self.register_buffer("mean", torch.ones(8))
        self.register_buffer("spread", torch.full((8,), 4.0))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        made = nn.functional.batch_norm(self.convolution(images), self.mean, self.spread)  # type: ignore[arg-type]
        return self.fc(torch.relu(made).mean((2, 3)))


class Frozen(nn.Module):
    """A batch norm of constants that computes itself, as in detectors."""

    running_mean: torch.Tensor
    running_var: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.ones(8))
        self.register_buffer("running_var", torch.full((8,), 4.0))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return (values - self.running_mean[:, None, None]) / (self.running_var[:, None, None] + 1e-5).sqrt()


def with_norm(norm: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    if not isinstance(norm, Frozen):
        norm.running_mean, norm.running_var = torch.ones(8), torch.full((8,), 4.0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    ).eval()


def program(network: nn.Module) -> nn.Module:
    free = ({0: torch.export.Dim("n")},)
    return torch.export.export(network, (torch.zeros(2, 3, 16, 16),), dynamic_shapes=free).module()


FORMS = {
    "a layer": lambda: with_norm(nn.BatchNorm2d(8)),
    "a layer of several processes": lambda: with_norm(nn.SyncBatchNorm(8)),
    "an instance norm with a record": lambda: with_norm(nn.InstanceNorm2d(8, track_running_stats=True)),
    "constants": lambda: with_norm(Frozen()),
    "a function": Functional,
    "a program of torch.export": lambda: program(with_norm(nn.BatchNorm2d(8))),
    "a script": lambda: torch.jit.script(with_norm(nn.BatchNorm2d(8))),
    "a trace": lambda: torch.jit.trace(with_norm(nn.BatchNorm2d(8)), torch.zeros(2, 3, 16, 16)),
    "double precision": lambda: with_norm(nn.BatchNorm2d(8)).double(),
    "wrapped": lambda: nn.DataParallel(with_norm(nn.BatchNorm2d(8))),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("form", FORMS)
def test_a_record_is_met_in_whatever_form_a_network_normalises_with_it(form: str) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 8, 3)
    steps = Preprocessing((16, 16))
    model = torch_model(FORMS[form](), steps, ("a", "b"))
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    prepared = np.stack([model.prepare(image) for image in images])
    (departure,) = model.departures([prepared[:2], prepared[2:]])
    seen = convolution(torch.tensor(prepared)).detach().double().numpy()
    mean, variance = seen.mean((0, 2, 3)), seen.var((0, 2, 3))
    assert departure.moved == pytest.approx(np.sqrt((((mean - 1) / 2) ** 2).mean()), rel=1e-4)
    assert departure.spread == pytest.approx(np.sqrt(((np.log(variance / 4) / 2) ** 2).mean()), rel=1e-3)
    assert departure.name in ("1", "module.1", "mean")

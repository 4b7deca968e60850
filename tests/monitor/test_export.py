"""The exported graph decides as the monitor does, in ONNX Runtime, for one input and for many."""

import json
from dataclasses import asdict, replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from onnx import TensorProto, helper
from torch import nn

from conspect.adapters.models import load_model
from conspect.adapters.models.onnx import OnnxModel
from conspect.adapters.models.onnx_graph import encoder_graph
from conspect.adapters.models.torch_module import torch_model
from conspect.adapters.preprocessing import Preprocessing
from conspect.bench.monitor import synthetic_monitor
from conspect.cli.monitor_export import export
from conspect.core.capabilities import graph_of
from conspect.core.diagnostics import OutsideError, UserError
from conspect.core.digests import digest_bytes
from conspect.monitor.export import attached, monitor_graph, signature, write
from conspect.monitor.export.graph import OPSET, OUTPUTS, GraphValue
from conspect.monitor.runtime import SUSPECT, Thresholds
from conspect.monitor.runtime.identity import Identity
from conspect.monitor.runtime.looks import LOOKS
from conspect.monitor.runtime.second_look import LOOK_FEATURES, SecondLook
from conspect.monitor.runtime.storage import ARRAYS_FILE
from conspect.study import DataConfig, ModelConfig, Study, StudyConfig
from tests.monitor.fitted import TEST, monitor_and_guarantee

SMALL, GUARANTEE = monitor_and_guarantee()
LARGE, INPUTS = synthetic_monitor()  # 256 dimensions, 10 classes, as the demo
PIXELS = np.random.default_rng(4).integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def assert_same(outputs, decisions, thresholds):
    suspicion, verdict, output = outputs
    assert suspicion == pytest.approx(decisions.suspicion, abs=1e-4)
    assert (output == decisions.outputs).all()
    limits = np.array([thresholds.accept, thresholds.suspect])
    clear = (np.abs(decisions.suspicion[:, None] - limits) > 1e-4).all(1)
    assert (verdict == decisions.verdicts)[clear].all()
    assert clear.mean() > 0.95 or len(clear) == 1


@pytest.mark.parametrize("images", [1, 2, 4096])
@pytest.mark.parametrize(("monitor", "inputs"), [(SMALL, TEST.inputs), (LARGE, INPUTS)], ids=["small", "demo size"])
def test_the_graph_decides_as_the_monitor(monitor, inputs, images):
    few = inputs.take(np.arange(images) % len(inputs))
    z, logits = few.embeddings.astype(np.float32), few.logits.astype(np.float32)
    arrays = session(monitor_graph(monitor)).run(list(OUTPUTS), {"embedding": z, "logits": logits})
    assert [array.dtype for array in arrays] == [np.float32, np.int8, np.int64]
    decisions = monitor.check(z, logits)
    assert_same(arrays, decisions, monitor.thresholds)
    assert images < 4096 or len(np.unique(decisions.verdicts)) == 3


@pytest.mark.parametrize("scale", [0.0, 1e-3, 30.0, 1e4])
def test_it_does_so_far_from_what_it_was_fitted_on(scale):
    generator = np.random.default_rng(7)
    z = (scale * generator.normal(size=(200, 256))).astype(np.float32)
    logits = (scale * generator.normal(size=(200, 10))).astype(np.float32)
    suspicion, _, output = session(monitor_graph(LARGE)).run(list(OUTPUTS), {"embedding": z, "logits": logits})
    decisions = LARGE.check(z, logits)
    assert suspicion == pytest.approx(decisions.suspicion, abs=1e-4, rel=1e-4)
    assert (output == decisions.outputs).all()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["embedding", "logits"])
def test_what_is_not_finite_is_suspect_in_both(name, value):
    given = {"embedding": INPUTS.embeddings[:20].copy(), "logits": INPUTS.logits[:20].copy()}
    given[name][3, 5] = value
    verdict = session(monitor_graph(LARGE)).run(["verdict"], given)[0]
    expected = LARGE.check(given["embedding"], given["logits"]).verdicts
    assert verdict[3] == expected[3] == SUSPECT
    assert (verdict == expected).all()


def test_infinite_thresholds_accept_nothing_and_suspect_nothing():
    monitor = replace(LARGE, thresholds=Thresholds(-np.inf, np.inf))
    given = {"embedding": INPUTS.embeddings[:50], "logits": INPUTS.logits[:50]}
    assert set(session(monitor_graph(monitor)).run(["verdict"], given)[0]) == {1}


def test_the_metadata_says_what_the_saved_monitor_says(tmp_path):
    SMALL.save(tmp_path, guarantee=GUARANTEE)
    saved = json.loads((tmp_path / "monitor.json").read_text())
    model = monitor_graph(SMALL, guarantee=GUARANTEE)
    about = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert about["conspect.sha256"] == digest_bytes((tmp_path / ARRAYS_FILE).read_bytes())
    for name in ("format", "version", "features", "classes", "concepts", "thresholds", "guarantee", "sha256"):
        assert about[f"conspect.{name}"] == saved[name]
    assert about["conspect.verdicts"] == ["accept", "uncertain", "suspect"]
    assert [(imported.domain, imported.version) for imported in model.opset_import] == [("", OPSET)]


@pytest.fixture(scope="module")
def demo():
    return load_model("demo-resnet", None)


def test_one_graph_from_pixels_to_the_verdict(demo):
    model = attached(encoder_graph(demo), LARGE)
    inputs, outputs = signature(model)
    assert inputs == (GraphValue("image", ("image", 32, 32, 3), "uint8"),)
    assert [value.name for value in outputs] == ["logits", *OUTPUTS]
    embeddings = demo.embed(np.stack([demo.prepare(image) for image in PIXELS]))
    logits = demo.head.logits(embeddings)
    runs = session(model)
    for images in (1, 64):
        arrays = runs.run(["logits", *OUTPUTS], {"image": PIXELS[:images]})
        assert arrays[0] == pytest.approx(logits[:images], abs=1e-3)
        decisions = LARGE.check(embeddings[:images], logits[:images])
        # Here the embeddings too are computed by another library: further than 1e-4 apart.
        assert arrays[1] == pytest.approx(decisions.suspicion, abs=5e-3)
        assert (arrays[3] == decisions.outputs).all()


def test_an_encoder_of_another_width_is_refused(demo):
    with pytest.raises(UserError, match="MONITOR001"):
        attached(encoder_graph(demo), SMALL)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["image", 256]) for name in ("a", "b")]
    nodes = [helper.make_node("Identity", ["a"], ["b"])]
    nameless = helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:]))
    with pytest.raises(UserError, match="MONITOR001"):
        attached(nameless, LARGE)


def test_a_model_that_computes_something_else_than_its_module_is_not_exported(demo, monkeypatch):
    monkeypatch.setattr(demo, "prepare", lambda image: np.zeros((3, 32, 32), np.float32))
    with pytest.raises(OutsideError, match="other values than the model"):
        encoder_graph(demo)


def test_without_onnx_the_message_names_what_to_install(monkeypatch):
    monkeypatch.setattr("conspect.monitor.export.graph.find_spec", lambda name: None)
    with pytest.raises(OutsideError, match=r"conspect\[export\]"):
        monitor_graph(SMALL)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutsideError, match="STORE001"):
        write(monitor_graph(SMALL), tmp_path / "file" / "m.onnx")


@pytest.mark.parametrize("start", ["embedding", "image"])
def test_the_command_writes_a_graph_that_checks(start, tmp_path, demo):
    identity = Identity.of(demo, demo.prepare(PIXELS[0]), "lens")
    own = replace(LARGE, class_names=tuple(demo.class_names), identity=identity)
    own.save(tmp_path / "monitor", guarantee=GUARANTEE)
    Study.create(tmp_path, StudyConfig(data=DataConfig(train="a", test="b"), model=ModelConfig(name="demo-resnet")))
    call = ["--study", str(tmp_path), "--onnx", str(tmp_path / "out" / "m.onnx"), "--from", start]
    done = CliRunner().invoke(export, [*call, "--json"], catch_exceptions=False)
    said = json.loads(done.stdout)
    assert [value["name"] for value in said["inputs"]] == {"embedding": ["embedding", "logits"], "image": ["image"]}[
        start
    ]
    model = onnx.load(said["file"])
    onnx.checker.check_model(model, full_check=True)
    assert {entry.key: entry.value for entry in model.metadata_props}["conspect.guarantee"] == json.dumps(
        asdict(GUARANTEE)
    )
    assert "verdict [image] int8" in CliRunner().invoke(export, call, catch_exceptions=False).stdout


NAMES = tuple(f"class {k}" for k in range(10))


def networks():
    """Torch models of every shape of head and preprocessing, whose heads were found by tracing."""
    torch.manual_seed(0)
    body = [nn.Conv2d(3, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    heads = {
        "linear": [nn.Flatten(), nn.Linear(12, 10)],
        "softmax": [nn.Flatten(), nn.Linear(12, 10), nn.Softmax(1)],
        "convolution": [nn.Conv2d(12, 10, 1), nn.Flatten()],
    }
    squeezed = Preprocessing((24, 24), mean=(0.4, 0.5, 0.6), deviation=(0.2, 0.3, 0.4))
    cropped = Preprocessing(28, crop=(24, 24), mean=(0.5, 0.5, 0.5))
    for name, head in heads.items():
        for steps in (squeezed, cropped):
            own = "4" if name == "convolution" else None
            yield torch_model(nn.Sequential(*body, *head), steps, NAMES, name=name, head=own)


def onnx_models(folder):
    torch.manual_seed(1)
    for opset, channels_last in ((11, False), (13, False), (17, False), (20, False), (17, True)):
        net = nn.Sequential(
            nn.Conv2d(3, 12, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10)
        ).eval()
        whole = Turned(net) if channels_last else net
        shape = (2, 24, 24, 3) if channels_last else (2, 3, 24, 24)
        file = folder / f"{opset}-{channels_last}.onnx"
        torch.onnx.export(
            whole, (torch.zeros(shape),), file, dynamo=False, opset_version=opset,
            input_names=["x"], output_names=["embedding"], dynamic_axes={"x": {0: "n"}, "embedding": {0: "n"}},
        )  # fmt: skip
        yield OnnxModel(file, Preprocessing((24, 24), mean=(0.4, 0.5, 0.6)), NAMES, name=file.stem)


class Turned(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, images):
        return self.inner(images.permute(0, 3, 1, 2))


def narrow(looks=False):
    """A monitor of 12 dimensions and 10 classes, perhaps with a second look of invented weights."""
    small, _ = synthetic_monitor(dimension=12)
    if not looks:
        return small
    folded, width = small.detector.folded, len(LOOK_FEATURES)
    rng = np.random.default_rng(0)
    arrays = [
        np.abs(rng.normal(size=s)).astype(np.float32)
        for s in (folded.concepts, width, width, (2, width), folded.classes)
    ]
    return replace(
        small,
        second_look=SecondLook(4, arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], LOOKS),
        second_thresholds=Thresholds(3.0, 8.0),
    )


IMAGES = np.random.default_rng(3).integers(0, 256, (6, 30, 40, 3), dtype=np.uint8)


def assert_decides_as(model, graph, monitor, look=()):
    written = graph_of(model)
    assert written is not None
    framed = np.stack([written.framed(image) for image in IMAGES])
    prepared = np.stack([model.prepare(image) for image in IMAGES])
    embeddings = [
        model.embed(frames) for frames in (prepared, *(np.ascontiguousarray(frames(prepared)) for frames in look))
    ]
    logits = [model.head.logits(frames) for frames in embeddings]
    expected = monitor.check(embeddings[0], logits[0])
    if look:
        expected = monitor.check_looks(np.stack(embeddings, axis=1), np.stack(logits, axis=1))
    name = "first_logits" if look else "logits"
    runs = session(graph)
    for count in (1, 6):
        arrays = runs.run([name, *OUTPUTS], {runs.get_inputs()[0].name: framed[:count]})
        assert arrays[0] == pytest.approx(logits[0][:count], abs=1e-3)
        assert arrays[1] == pytest.approx(expected.suspicion[:count], abs=2e-2, rel=2e-3)
        assert (arrays[3] == expected.outputs[:count]).all()


def test_a_torch_model_and_an_onnx_graph_are_exported_with_their_monitor(tmp_path):
    for model in (next(iter(networks())), next(iter(onnx_models(tmp_path)))):
        assert_decides_as(model, attached(encoder_graph(model), narrow()), narrow())


@pytest.mark.slow
def test_torch_models_whose_head_was_found_by_tracing_are_exported_for_any_number_of_images():
    models = list(networks())
    assert len(models) == 6
    for model in models:
        assert_decides_as(model, attached(encoder_graph(model), narrow()), narrow())
        with_looks = attached(encoder_graph(model), narrow(looks=True), second_look=True)
        assert_decides_as(model, with_looks, narrow(looks=True), LOOKS)


@pytest.mark.slow
def test_the_graphs_of_onnx_models_are_joined(tmp_path):
    models = list(onnx_models(tmp_path))
    assert len(models) == 5
    for model in models:
        assert_decides_as(model, attached(encoder_graph(model), narrow()), narrow())
        with_looks = attached(encoder_graph(model), narrow(looks=True), second_look=True)
        assert_decides_as(model, with_looks, narrow(looks=True), LOOKS)


def test_a_second_look_at_a_fixed_number_of_images_or_without_one_is_refused(tmp_path):
    net = nn.Sequential(nn.Conv2d(3, 12, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10)).eval()
    torch.onnx.export(net, (torch.zeros(2, 3, 24, 24),), tmp_path / "m.onnx", dynamo=False, opset_version=17)
    fixed = OnnxModel(tmp_path / "m.onnx", Preprocessing((24, 24)), NAMES, name="fixed")
    assert signature(attached(encoder_graph(fixed), narrow()))[0][0].shape == (2, 24, 24, 3)
    with pytest.raises(UserError, match=r"MONITOR001.*a second look at an input \[2, 24, 24, 3\]"):
        attached(encoder_graph(fixed), narrow(looks=True), second_look=True)
    with pytest.raises(UserError, match=r"MONITOR001.*no second look"):
        monitor_graph(narrow(), second_look=True)


def test_a_library_of_its_own_preprocessing_is_said_to_be_in_the_way():
    class Own:
        sentence = "a library's own"

        def __call__(self, image):
            return Preprocessing((24, 24))(image)

    with pytest.raises(OutsideError, match=r"MONITOR006.*library's own preprocessing"):
        encoder_graph(torch_model(nn.Sequential(nn.Flatten(), nn.Linear(1728, 10)), Own(), NAMES, name="own"))

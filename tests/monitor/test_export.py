"""The exported graph decides as the monitor does, in ONNX Runtime, for one input and for many."""

import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from conspect.adapters.models import load_model
from conspect.adapters.models.onnx_graph import encoder_graph
from conspect.bench.monitor import synthetic_monitor
from conspect.cli.monitor_export import export
from conspect.core.diagnostics import OutsideError, UserError
from conspect.core.digests import digest_bytes
from conspect.monitor.export import attached, monitor_graph, signature, write
from conspect.monitor.export.graph import OPSET, OUTPUTS
from conspect.monitor.runtime import SUSPECT, Thresholds
from conspect.monitor.runtime.storage import ARRAYS_FILE
from conspect.study import DataConfig, ModelConfig, Study, StudyConfig
from tests.monitor.fitted import TEST, monitor_and_guarantee

SMALL, GUARANTEE = monitor_and_guarantee()
LARGE, INPUTS = synthetic_monitor()  # 256 dimensions, 10 classes, as the demo
PIXELS = np.random.default_rng(4).integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def assert_same(found, decisions, thresholds):
    suspicion, verdict, output = found
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
    found = session(monitor_graph(monitor)).run(list(OUTPUTS), {"embedding": z, "logits": logits})
    assert [array.dtype for array in found] == [np.float32, np.int8, np.int64]
    decisions = monitor.check(z, logits)
    assert_same(found, decisions, monitor.thresholds)
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
    SMALL.save(tmp_path, guarantee=GUARANTEE.to_json())
    saved = json.loads((tmp_path / "monitor.json").read_text())
    model = monitor_graph(SMALL, guarantee=GUARANTEE.to_json())
    about = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert about["conspect.sha256"] == digest_bytes((tmp_path / ARRAYS_FILE).read_bytes())
    for name in ("format", "version", "features", "classes", "concepts", "thresholds", "guarantee", "sha256"):
        assert about[f"conspect.{name}"] == saved[name]
    assert about["conspect.verdicts"] == ["accept", "uncertain", "suspect"]
    assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]


@pytest.fixture(scope="module")
def demo():
    return load_model("demo-resnet", None)


def test_one_graph_from_pixels_to_the_verdict(demo):
    model = attached(encoder_graph(demo), LARGE)
    inputs, outputs = signature(model)
    assert inputs == [{"name": "image", "shape": ["image", 32, 32, 3], "type": "uint8"}]
    assert [one["name"] for one in outputs] == ["logits", *OUTPUTS]
    embeddings = demo.embed(np.stack([demo.prepare(image) for image in PIXELS]))
    logits = demo.head.logits(embeddings)
    runs = session(model)
    for images in (1, 64):
        found = runs.run(["logits", *OUTPUTS], {"image": PIXELS[:images]})
        assert found[0] == pytest.approx(logits[:images], abs=1e-3)
        decisions = LARGE.check(embeddings[:images], logits[:images])
        # Here the embeddings too are computed by another library: further than 1e-4 apart.
        assert found[1] == pytest.approx(decisions.suspicion, abs=5e-3)
        assert (found[3] == decisions.outputs).all()


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
def test_the_command_writes_a_graph_that_checks(start, tmp_path):
    LARGE.save(tmp_path / "monitor", guarantee={"wanted": 1})
    Study.create(tmp_path, StudyConfig(data=DataConfig(train="a", test="b"), model=ModelConfig(name="demo-resnet")))
    call = ["--study", str(tmp_path), "--onnx", str(tmp_path / "out" / "m.onnx"), "--from", start]
    done = CliRunner().invoke(export, [*call, "--json"], catch_exceptions=False)
    said = json.loads(done.stdout)
    assert [one["name"] for one in said["inputs"]] == {"embedding": ["embedding", "logits"], "image": ["image"]}[start]
    model = onnx.load(said["file"])
    onnx.checker.check_model(model, full_check=True)
    assert {entry.key: entry.value for entry in model.metadata_props}["conspect.guarantee"] == '{"wanted": 1}'
    assert "verdict [image] int8" in CliRunner().invoke(export, call, catch_exceptions=False).stdout

"""A wrapped model returns what it returned before, and with it what the monitor says of the same embeddings."""

import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from conspect.bench.monitor import synthetic_monitor
from conspect.core.diagnostics import UserError
from conspect.monitor.export import with_embedding
from conspect.monitor.runtime import SUSPECT, Thresholds
from conspect.monitor.runtime.looks import LOOKS
from conspect.monitor.runtime.second_look import LOOK_FEATURES, SecondLook
from conspect.monitor.runtime.wrap import wrap
from tests.monitor.fitted import TEST, monitor_and_guarantee
from tests.monitor.world import CLASS_NAMES, CLASSES, DIMENSION, HEAD

MONITOR, _ = monitor_and_guarantee()
TURN = np.linalg.qr(np.random.default_rng(3).normal(size=(DIMENSION, DIMENSION)))[0].astype(np.float32)
Z = TEST.inputs.embeddings[:200].astype(np.float32)
# What a model must be given, so that its encoder, a rotation, makes the embeddings Z of it.
GIVEN = Z @ TURN.T


def model():
    encoder, head = nn.Linear(DIMENSION, DIMENSION, bias=False), nn.Linear(DIMENSION, CLASSES)
    with torch.no_grad():
        encoder.weight.copy_(torch.from_numpy(TURN.T.copy()))
        head.weight.copy_(torch.from_numpy(HEAD.weight))
        head.bias.copy_(torch.from_numpy(HEAD.offset))
    return nn.Sequential(encoder, head).eval()


def assert_decided(decisions, rows=slice(None)):
    expected = MONITOR.check(TEST.inputs.embeddings[:200], TEST.inputs.logits[:200])
    assert decisions.suspicion == pytest.approx(expected.suspicion[rows], abs=1e-4)
    assert (decisions.outputs == expected.outputs[rows]).all()
    assert (decisions.verdicts == SUSPECT).any()


def test_a_torch_module_returns_its_logits_and_decisions():
    bare = model()
    watched = wrap(bare, MONITOR)
    logits, decisions = watched(torch.from_numpy(GIVEN))
    assert torch.equal(logits, bare(torch.from_numpy(GIVEN)))
    assert logits.requires_grad  # left as the model gives it
    assert_decided(decisions)
    assert_decided(watched(torch.from_numpy(GIVEN[5:80]))[1], slice(5, 80))


class WithObject(nn.Module):
    """Returns an object, as models of transformers do, and has a layer of the head's size that is not the head."""

    def __init__(self):
        super().__init__()
        self.inner, self.auxiliary = model(), nn.Linear(DIMENSION, CLASSES)

    def forward(self, *, pixels):
        return SimpleNamespace(logits=self.inner(pixels), other=self.auxiliary(pixels))


def test_the_wrong_head_is_found_out_on_the_first_call_and_the_right_one_can_be_named():
    whole = WithObject()
    with pytest.raises(UserError, match="head="):
        wrap(whole, MONITOR)(pixels=torch.from_numpy(GIVEN))
    returned, decisions = wrap(whole, MONITOR, head=whole.inner[1])(pixels=torch.from_numpy(GIVEN))
    assert returned.other.shape == returned.logits.shape
    assert_decided(decisions)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = model()

    def forward(self, x):
        return self.inner(x) / 2


class HeadNotCalled(nn.Module):
    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(DIMENSION, CLASSES)

    def forward(self, x):
        return x[:, :CLASSES]


@pytest.mark.parametrize("whole", [Scaled(), HeadNotCalled()], ids=["scaled logits", "head not called"])
def test_logits_that_are_not_the_heads_are_refused(whole):
    with pytest.raises(UserError, match="MONITOR001"):
        wrap(whole, MONITOR)(torch.from_numpy(GIVEN))


def test_a_model_without_a_fitting_head_and_a_thing_that_is_no_model_are_refused():
    with pytest.raises(UserError, match="no linear layer from 12 dimensions to 4 classes"):
        wrap(nn.Linear(DIMENSION, CLASSES + 1), MONITOR)
    with pytest.raises(UserError, match=r"monitor\.check"):
        wrap(lambda x: x, MONITOR)


def test_half_precision_and_autocast_are_watched_too():
    watched = wrap(model().to(torch.bfloat16), MONITOR)
    _, decisions = watched(torch.from_numpy(GIVEN).to(torch.bfloat16))
    expected = MONITOR.check(TEST.inputs.embeddings[:200], TEST.inputs.logits[:200])
    assert (decisions.verdicts == expected.verdicts).mean() > 0.9
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, cast = wrap(model(), MONITOR)(torch.from_numpy(GIVEN))
    assert (cast.verdicts == expected.verdicts).mean() > 0.9


def test_each_suspect_input_is_called_out_with_its_reasons():
    alarms: list[Any] = []
    _, decisions = wrap(model(), MONITOR, on_suspect=alarms.append)(torch.from_numpy(GIVEN))
    suspects = np.flatnonzero(decisions.verdicts == SUSPECT)
    assert len(suspects) > 0
    assert [alarm.index for alarm in alarms] == suspects.tolist()
    for alarm in alarms:
        output = decisions.outputs[alarm.index]
        assert alarm.output == CLASS_NAMES[output]
        assert alarm.suspicion == decisions.suspicion[alarm.index]
        expected = MONITOR.reasons(Z[alarm.index], int(output))
        assert [(r.stronger, r.weaker) for r in alarm.reasons] == [(r.stronger, r.weaker) for r in expected]


def test_threads_do_not_see_each_others_embeddings_and_share_one_stream():
    stream = MONITOR.stream()
    watched = wrap(model(), MONITOR, stream=stream)
    wrong = []

    def work(first):
        for k in range(first, 200, 4):
            _, decisions = watched(torch.from_numpy(GIVEN[k : k + 1]))
            expected = MONITOR.check(Z[k : k + 1], TEST.inputs.logits[k : k + 1]).suspicion
            if abs(decisions.suspicion[0] - expected[0]) > 1e-4:
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert stream.status().seen == 200


def graph(*, fused: bool, softmax: bool = False):
    """The same model as an ONNX graph without an embedding among its outputs: head as a Gemm, or as MatMul and Add."""
    constants = {"turn": TURN, "bias": HEAD.offset.astype(np.float32)}
    constants["weight"] = HEAD.weight.astype(np.float32) if fused else HEAD.weight.T.astype(np.float32)
    nodes = [helper.make_node("MatMul", ["image", "turn"], ["z"])]
    if fused:
        nodes += [helper.make_node("Gemm", ["z", "weight", "bias"], ["raw"], transB=1)]
    else:
        nodes += [helper.make_node("MatMul", ["z", "weight"], ["product"])]
        nodes += [helper.make_node("Add", ["bias", "product"], ["raw"])]
    nodes += [helper.make_node("Softmax" if softmax else "Identity", ["raw"], ["logits"])]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["image", width])
        for name, width in (("image", DIMENSION), ("logits", CLASSES))
    ]
    initializers = [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items()]
    return helper.make_model(
        helper.make_graph(nodes, "model", values[:1], values[1:], initializers),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("fused", [True, False])
def test_an_onnx_session_gets_its_embedding_and_is_watched(fused):
    bare = graph(fused=fused)
    with pytest.raises(UserError, match="with_embedding"):
        wrap(session(bare), MONITOR)
    whole = session(with_embedding(bare))
    assert [(output.name, output.shape) for output in whole.get_outputs()] == [
        ("logits", ["image", CLASSES]),
        ("embedding", ["image", DIMENSION]),
    ]
    logits, decisions = wrap(whole, MONITOR)(GIVEN)
    assert logits == pytest.approx(session(bare).run(None, {"image": GIVEN})[0], abs=1e-6)
    assert_decided(decisions)
    assert_decided(wrap(whole, MONITOR, embedding="embedding", logits="logits")({"image": GIVEN})[1])
    assert len(with_embedding(with_embedding(bare)).graph.output) == 2
    with pytest.raises(UserError, match="no output features"):
        wrap(whole, MONITOR, embedding="features")


def test_graphs_whose_output_is_not_a_linear_layers_are_refused():
    with pytest.raises(UserError, match="before any softmax"):
        with_embedding(graph(fused=True, softmax=True))
    taken = graph(fused=True)
    taken.graph.node[0].output[0] = "x"
    taken.graph.node[1].input[0] = "x"
    taken.graph.node.append(helper.make_node("Abs", ["image"], ["embedding"]))
    onnx.checker.check_model(taken)
    with pytest.raises(UserError, match="another value called embedding"):
        with_embedding(taken)


PAGE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"^```python\n(.*?)^```$", PAGE.split("## Around a model")[1].split("\n## ")[0], re.MULTILINE | re.DOTALL
)


def test_the_examples_of_the_page_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    MONITOR.save(tmp_path / "monitor")
    onnx.save(graph(fused=True), "model.onnx")
    names = {"model": model(), "images": torch.from_numpy(GIVEN), "pixels": GIVEN}
    for example in EXAMPLES:
        exec(compile(example, "docs/monitoring.md", "exec"), names)
        assert_decided(names["decisions"])
    assert len(EXAMPLES) == 3
    assert "'suspect'" in capsys.readouterr().out


def test_the_run_time_half_imports_numpy_alone(tmp_path):
    MONITOR.save(tmp_path)
    code = """
import sys, numpy as np
from pathlib import Path
from conspect.monitor.runtime import Monitor
from conspect.monitor.runtime.wrap import wrap
monitor = Monitor.load(Path(sys.argv[1]))
stream = monitor.stream()
class Output:
    def __init__(self, name, width): self.name, self.shape = name, ["image", width]
class Session:
    def get_inputs(self): return [Output("image", 12)]
    def get_outputs(self): return [Output("embedding", 12), Output("logits", 4)]
    def run(self, names, feed): return feed["image"], feed["image"][:, :4]
watched = wrap(Session(), monitor, stream=stream, on_suspect=lambda alarm: None)
watched(np.random.default_rng(0).normal(size=(50, 12)).astype(np.float32))
assert stream.status().seen == 50
tops = {name.split(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(*sorted(name for name in tops if hasattr(sys.modules[name], "__spec__") and sys.modules[name].__spec__))
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True)
    # safetensors reads the file; what the interpreter's site loads (hooks of editable installs) has no business here.
    assert {name for name in done.stdout.split() if not name.startswith("_")} - {"__main__"} == {
        "conspect",
        "numpy",
        "safetensors",
    }


@pytest.mark.parametrize("layout", ["torch", "onnx"])
def test_a_wrapped_model_looks_again_as_the_monitor_was_fitted_to(layout, tmp_path):
    small = synthetic_monitor(dimension=12)[0]
    width = len(LOOK_FEATURES)
    folded, rng = small.detector.folded, np.random.default_rng(0)
    sizes = (folded.concepts, width, width, (2, width), folded.classes)
    arrays = [np.abs(rng.normal(size=size)).astype(np.float32) for size in sizes]
    tier = SecondLook(4, arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], LOOKS)
    monitor = replace(small, second_look=tier, second_thresholds=Thresholds(0.0, 1.0))
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 12, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10)).eval()
    images = rng.normal(size=(5, 3, 16, 16)).astype(np.float32)
    with torch.no_grad():
        looks = [torch.from_numpy(images), *(look(torch.from_numpy(images)) for look in LOOKS)]
        embeddings = np.stack([net[:-1](seen).numpy() for seen in looks], axis=1)
        logits = np.stack([net(seen).numpy() for seen in looks], axis=1)
    expected = monitor.check_looks(embeddings, logits)
    stream = monitor.stream()
    if layout == "torch":
        with torch.no_grad():
            returned, decisions = wrap(net, monitor, second_look=True, stream=stream)(torch.from_numpy(images))
        returned = returned.numpy()
    else:
        torch.onnx.export(net, (torch.from_numpy(images),), tmp_path / "m.onnx", dynamo=False, opset_version=17,
                          input_names=["x"], dynamic_axes={"x": {0: "n"}})  # fmt: skip
        whole = with_embedding(onnx.load(tmp_path / "m.onnx"))
        session = onnxruntime.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
        returned, decisions = wrap(session, monitor, second_look=True, stream=stream)(images)
    assert returned == pytest.approx(logits[:, 0], abs=1e-4)
    assert decisions.suspicion == pytest.approx(expected.suspicion, abs=1e-2)
    assert (decisions.verdicts == expected.verdicts).all()
    assert stream.seen == 5
    with pytest.raises(UserError, match=r"MONITOR001.*no second look"):
        wrap(net, small, second_look=True)

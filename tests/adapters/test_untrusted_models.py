"""Files that would run code, read other files, or leave weights at random: all are refused, and nothing runs."""

import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from conspect.adapters.models import load_model
from conspect.adapters.vlms import load_vlm
from conspect.core.diagnostics import ConspectError, OutsideError, UserError
from tests.adapters.cases import (
    LABELS,
    OPEN_CLIP,
    PREPROCESSING,
    clip,
    export_any,
    from_open_clip,
    from_transformers,
    from_transformers_vlm,
    onnx_classifier,
    onnx_towers,
    write_json,
)

torch = pytest.importorskip("torch")


class Touch:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def own(folder: Path, weights: Path) -> Any:
    steps = write_json(folder / "steps.json", PREPROCESSING)
    options: dict[str, Any] = {"kind": "module", "classes": ("a", "b", "c"), "preprocessing": steps}
    return load_model("tests.adapters.networks:small", weights, **options)


def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(3, 7), "x": Touch(tmp_path / "ran")}, tmp_path / "w.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Touch(tmp_path / "ran")))
    for name in ("w.pth", "plain.pth"):
        with pytest.raises(UserError, match=rf"{name.replace('.', '.')}: MODEL002: weights cannot be read"):
            own(tmp_path, tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("wrong", ["missing", "left over", "shape", "empty", "suffix", "not there"])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, wrong: str) -> None:
    from tests.adapters.networks import Small

    state: dict[str, Any] = dict(Small().state_dict())
    path = tmp_path / ("w.npz" if wrong == "suffix" else "w.pth")
    if wrong == "missing":
        del state["fc.bias"]
    elif wrong == "left over":
        state["fc2.bias"] = torch.zeros(2)
    elif wrong == "shape":
        state["fc.bias"] = torch.zeros(4)
    if wrong != "not there":
        torch.save({} if wrong == "empty" else state, path)
    with pytest.raises(UserError, match="MODEL002"):
        own(tmp_path, path)


def test_a_checkpoint_of_a_parallel_training_is_understood(tmp_path: Path) -> None:
    from tests.adapters.networks import Small

    state = {f"module.{name}": value for name, value in Small().state_dict().items()}
    torch.save({"epoch": 7, "state_dict": state}, tmp_path / "w.pth")
    assert own(tmp_path, tmp_path / "w.pth").embedding_size == 7
    torch.save({"epoch": 7, **state}, tmp_path / "beside.pth")
    assert own(tmp_path, tmp_path / "beside.pth").embedding_size == 7


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    export_any(folder, 0)
    return folder / "model.pt2"


def rewritten(source: Path, target: Path, change: Any) -> Path:
    """The archive with its members changed by `change(members)`."""
    with zipfile.ZipFile(source) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"m/{name}", content)
    for name in ("preprocessor_config.json", "config.json"):
        (target.parent / name).write_bytes((source.parent / name).read_bytes())
    return target


def graph(change: Any) -> Any:
    def of(members: dict[str, bytes]) -> None:
        program = json.loads(members["models/model.json"])
        change(program)
        members["models/model.json"] = json.dumps(program).encode()

    return of


def first_node(program: Any) -> Any:
    return program["graph_module"]["graph"]["nodes"][0]


def weights(change: Any) -> Any:
    def of(members: dict[str, bytes]) -> None:
        config = json.loads(members["data/weights/model_weights_config.json"])
        change(config["config"]["fc.weight"])
        members["data/weights/model_weights_config.json"] = json.dumps(config).encode()

    return of


UNSAFE = {
    "operator": graph(lambda p: first_node(p).update(target="torch.os.system")),
    "file operator": graph(lambda p: first_node(p).update(target="torch.ops.aten.from_file.default")),
    "custom operator": graph(lambda p: first_node(p).update(target="torch.ops.mine.run.default")),
    "argument": graph(lambda p: first_node(p)["inputs"][0].update(arg={"as_operator": "torch.os.system"})),
    "expression": graph(lambda p: first_node(p).update(more={"expr_str": "__import__('os').system('x')"})),
    "call": graph(lambda p: first_node(p).update(more={"expr_str": "lambdify(s0, s0)"})),
    "tower of powers": graph(lambda p: first_node(p).update(more={"expr_str": "9**9**9"})),
    "container": graph(
        lambda p: p.update(in_spec=json.dumps([1, {"type": "x.Y", "context": None, "children_spec": []}]))
    ),
    "pickled weight": weights(lambda entry: entry.update(use_pickle=True)),
    "weight elsewhere": weights(lambda entry: entry.update(path_name="../../x")),
    "opaque object": lambda members: members.update({"data/constants/opaque_obj_0": b"x"}),
    "compiled library": lambda members: members.update({"data/aotinductor/model/x.so": b"x"}),
    "legacy weights": lambda members: members.update({"data/weights/model.pt": b"x"}),
}


@pytest.mark.parametrize("what", UNSAFE)
def test_a_program_that_could_run_code_is_refused(program: Path, tmp_path: Path, what: str) -> None:
    changed = rewritten(program, tmp_path / "m.pt2", UNSAFE[what])
    with pytest.raises(UserError, match=r"m\.pt2: MODEL005: loading this program could run code"):
        load_model(None, changed, kind="torch-export")


def test_what_a_program_need_not_carry_is_dropped_unread(program: Path, tmp_path: Path) -> None:
    """Pickled sample inputs and guards, which torch evaluates, never reach torch."""

    def planted(members: dict[str, bytes]) -> None:
        out = io.BytesIO()
        torch.save(((Touch(tmp_path / "ran"),), {}), out)
        members["data/sample_inputs/model.pt"] = out.getvalue()
        graph(lambda p: p.update(guards_code=[f"__import__('os').mkdir({str(tmp_path / 'ran')!r})"]))(members)

    changed = rewritten(program, tmp_path / "m.pt2", planted)
    assert load_model(None, changed, kind="torch-export").embedding_size == 7
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_a_file_that_is_no_program_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.pt2").write_bytes(content)
    with pytest.raises(UserError, match="MODEL002"):
        load_model(None, tmp_path / "m.pt2", kind="torch-export")


@pytest.mark.parametrize("place", ["../secret.bin", "/etc/hostname", "link.bin"])
def test_onnx_data_outside_the_folder_is_refused(tmp_path: Path, place: str) -> None:
    onnx = pytest.importorskip("onnx")
    folder = tmp_path / "model"
    folder.mkdir()
    load, _ = onnx_classifier(folder, 0, gemm=True, softmax=False, external=True)
    (tmp_path / "secret.bin").write_bytes((folder / "model.onnx.data").read_bytes())
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = place if entry.key == "location" else entry.value
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match=r"model\.onnx: MODEL005: the weights of .* outside the model's folder"):
        load()


@pytest.mark.parametrize("content", [b"", b"text", b"\x08\x01"])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("onnx")
    (tmp_path / "model.onnx").write_bytes(content)
    write_json(tmp_path / "preprocessor_config.json", PREPROCESSING)
    write_json(tmp_path / "config.json", {"id2label": LABELS})
    with pytest.raises(UserError, match="MODEL002"):
        load_model(None, tmp_path, kind="onnx")


def without(path: Path, *names: str, **more: Any) -> None:
    """Takes tensors out of a safetensors file, and puts others in."""
    arrays = {name: value for name, value in load_file(path).items() if not name.startswith(names)}
    assert len(arrays) < len(load_file(path)) or more
    save_file(arrays | more, path, metadata={"format": "pt"})


def test_a_classifier_whose_head_is_not_in_the_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    config: Any = lambda t: t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], id2label=LABELS)  # noqa: E731
    load, _ = from_transformers(config, lambda t: t.ConvNextImageProcessorPil(size={"shortest_edge": 32}))(tmp_path, 0)
    without(tmp_path / "model.safetensors", "classifier")
    with pytest.raises(UserError, match=r"MODEL002: weights did not load: 2 missing \(classifier"):
        load()
    for file in ("config.json", "preprocessor_config.json"):
        kept = (tmp_path / file).read_text()
        (tmp_path / file).write_text("{")
        with pytest.raises(UserError, match="MODEL002"):
            load()
        (tmp_path / file).write_text(kept)


@pytest.mark.parametrize("wrong", ["missing", "left over", "shape", "no tokenizer", "text"])
def test_a_vlm_whose_weights_do_not_load_raises(tmp_path: Path, wrong: str) -> None:
    pytest.importorskip("transformers")
    load, _ = from_transformers_vlm(clip)(tmp_path, 0)
    path = tmp_path / "model.safetensors"
    if wrong == "missing":
        without(path, "text_projection")
    elif wrong == "left over":
        without(path, "nothing", extra=np.zeros(3, np.float32))
    elif wrong == "shape":
        without(path, "logit_scale", **{"visual_projection.weight": np.zeros((3, 3), np.float32)})
    elif wrong == "text":
        path.write_text("hello")
    else:
        for file in tmp_path.glob("token*"):
            file.unlink()
    with pytest.raises(OutsideError if wrong != "no tokenizer" else ConspectError, match="VLM002"):
        load()


def test_a_model_that_is_no_vlm_is_refused_by_its_type(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    transformers.ViTConfig().save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"MODEL002: a model of type 'vit' is not one that is known here"):
        load_vlm(None, cache=tmp_path, kind="transformers", path=tmp_path)


@pytest.mark.parametrize("file", ["text_model.onnx", "vision_model.onnx", "tokenizer.json", "config.json"])
def test_towers_that_lack_a_file_are_refused(tmp_path: Path, file: str) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("transformers")
    load, _ = onnx_towers(tmp_path, 0)
    (tmp_path / file).write_bytes(b"")
    with pytest.raises(ConspectError, match="VLM002"):
        load()
    (tmp_path / file).unlink()
    with pytest.raises(ConspectError, match="VLM002"):
        load()


@pytest.mark.parametrize("wrong", ["missing", "left over", "none", "pickle"])
def test_an_open_clip_checkpoint_that_does_not_fit_raises(tmp_path: Path, wrong: str) -> None:
    """open_clip alone would go on with random weights where there are none."""
    pytest.importorskip("open_clip")
    load, _ = from_open_clip(OPEN_CLIP, "shortest")(tmp_path, 0)
    path = tmp_path / "open_clip_model.safetensors"
    if wrong == "missing":
        without(path, "visual.proj")
    elif wrong == "left over":
        without(path, "nothing", extra=np.zeros(3, np.float32))
    else:
        path.unlink()
    if wrong == "pickle":
        torch.save({"logit_scale": Touch(tmp_path / "ran")}, tmp_path / "open_clip_pytorch_model.bin")
    with pytest.raises(OutsideError, match="VLM002"):
        load()
    assert not (tmp_path / "ran").exists()

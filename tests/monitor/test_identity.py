"""A monitor belongs to one model and lens, and every way to use it says so of another: same shape, other weights."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from msgspec import structs
from torch import nn

from conspect.adapters.models.torch_module import TorchModel, torch_model
from conspect.adapters.preprocessing import Preprocessing
from conspect.bench.monitor import synthetic_monitor
from conspect.cli.monitor_export import export
from conspect.core.diagnostics import ConspectError, UserError
from conspect.monitor.export import with_embedding
from conspect.monitor.runtime import Monitor
from conspect.monitor.runtime.identity import Identity
from conspect.monitor.runtime.wrap import wrap
from conspect.results.files import write_record
from conspect.results.results import Manifest
from conspect.study import Study, StudyConfig
from conspect.study.config import DataConfig, ModelConfig, read_config
from conspect.study.inputs import open_model
from conspect.study.monitor.serving import deployed

DIMENSION, SIDE, CLASSES = 12, 16, tuple(f"class {k}" for k in range(10))
PIXELS = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), dtype=np.uint8)


def network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    body = nn.Sequential(nn.Conv2d(3, DIMENSION, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(body, nn.Linear(DIMENSION, len(CLASSES))).eval()


def model(seed: int = 0) -> TorchModel:
    return torch_model(network(seed), Preprocessing(resize=(SIDE, SIDE)), CLASSES, name=f"net {seed}")


def monitor() -> Monitor:
    known = model()
    identity = Identity.of(known, known.prepare(PIXELS[0]), "lens")
    return replace(synthetic_monitor(dimension=DIMENSION)[0], class_names=CLASSES, identity=identity)


def graph(seed: int, file: Path) -> Path:
    torch.onnx.export(
        network(seed), (torch.zeros(2, 3, SIDE, SIDE),), file, dynamo=False, opset_version=17,
        input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
    )  # fmt: skip
    return file


def session(seed: int, folder: Path) -> onnxruntime.InferenceSession:
    whole = with_embedding(onnx.load(graph(seed, folder / f"{seed}.onnx")))
    return onnxruntime.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])


PREPARATION = {"do_resize": True, "size": {"height": SIDE, "width": SIDE}, "do_normalize": False, "resample": 2}


def study(folder: Path, seed: int) -> Path:
    """A study of an ONNX model of this seed."""
    folder.mkdir()
    graph(seed, folder / "model.onnx")
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPARATION))
    config = ModelConfig(kind="onnx", path="model.onnx", classes=CLASSES)
    Study.create(folder, StudyConfig(data=DataConfig(train="a", test="b"), model=config))
    return folder


def test_a_saved_monitor_keeps_its_identity(tmp_path: Path) -> None:
    monitor().save(tmp_path)
    kept, own = Monitor.load(tmp_path).identity, monitor().identity
    assert kept is not None
    assert own is not None
    assert (kept.model_name, kept.model_digest, kept.lens_digest) == ("net 0", own.model_digest, "lens")
    assert np.array_equal(kept.probe_embeddings, own.probe_embeddings)
    assert kept.probe_logits is not None
    assert np.array_equal(kept.probe_logits, np.asarray(own.probe_logits))
    assert Monitor.load(tmp_path, model=model()).class_names == CLASSES
    kept.require_lens("lens")
    with pytest.raises(UserError, match=r"MONITOR007.*through another lens than the study's"):
        kept.require_lens("another")


def test_every_way_to_use_a_monitor_refuses_another_lens(tmp_path: Path) -> None:
    folder = study(tmp_path / "study", 0)
    model_of_study = open_model(read_config(folder / "study.toml"), folder)
    fitted = monitor()
    assert fitted.identity is not None
    replace(fitted, identity=replace(fitted.identity, model_digest=model_of_study.digest)).save(folder / "monitor")
    manifest = Manifest(conspect="1", config="", results="", failures="", seed=0, digests={"lens": "lens"})
    write_record(folder / "manifest.json", manifest)
    served(folder)
    exported(folder)
    write_record(folder / "manifest.json", structs.replace(manifest, digests={"lens": "made anew with other concepts"}))
    ways = (
        lambda: served(folder),
        lambda: exported(folder, "embedding"),
        lambda: Monitor.load(folder / "monitor", lens_digest="another"),
        lambda: wrap(network(0), monitor(), lens_digest="another"),
    )
    for way in ways:
        with pytest.raises(UserError, match="MONITOR007: the monitor reads concepts through another lens"):
            way()
    (folder / "manifest.json").unlink()  # a study that was not run has no lens to compare with
    served(folder)


def test_loading_it_for_another_model_is_refused(tmp_path: Path) -> None:
    monitor().save(tmp_path)
    with pytest.raises(UserError, match=r"MONITOR007.*belongs to another model than this, 'net 0': net 1 has"):
        Monitor.load(tmp_path, model=model(1))
    replace(monitor(), identity=None).save(tmp_path)
    with pytest.raises(UserError, match=r"MONITOR007.*does not say which model"):
        Monitor.load(tmp_path, model=model())


def test_a_wrapped_module_is_recognised_by_what_it_makes_of_noise() -> None:
    watched = wrap(network(0), monitor())
    returned, decisions = watched(torch.from_numpy(np.stack([model().prepare(pixels) for pixels in PIXELS])))
    assert returned.shape == (5, 10)
    assert len(decisions.outputs) == 5
    with pytest.raises(UserError, match=r"MONITOR007.*other embeddings"):
        wrap(network(1), monitor())
    only_encoder = network(0)
    only_encoder[0] = network(1)[0]
    with pytest.raises(UserError, match=r"MONITOR007.*other embeddings"):
        wrap(only_encoder, monitor())
    only_head = network(0)
    only_head[1] = network(1)[1]
    with pytest.raises(UserError, match=r"MONITOR007.*other logits"):
        wrap(only_head, monitor())
    other_order = network(0)
    last = other_order[1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.copy_(last.weight.flip(0))
    with pytest.raises(UserError, match=r"MONITOR007.*other logits"):
        wrap(other_order, monitor())
    assert wrap(network(0).double(), monitor()).monitor.identity is not None
    assert wrap(network(0).to(torch.bfloat16), monitor()).monitor.identity is not None


@pytest.mark.parametrize("end", [nn.LogSoftmax(1), nn.Softmax(1)], ids=["log_softmax", "softmax"])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_module_that_ends_in_a_softmax_or_a_temperature_is_wrapped_as_its_study_took_it(
    end: nn.Module, temperature: float, kind: torch.dtype
) -> None:
    class Divided(nn.Module):
        def forward(self, given: torch.Tensor) -> torch.Tensor:
            return given / temperature

    images = torch.from_numpy(np.stack([model().prepare(pixels) for pixels in PIXELS]))
    for ends in ([Divided(), end], [Divided()]):
        whole = nn.Sequential(*network(0), *ends).eval()
        own = torch_model(whole, Preprocessing(resize=(SIDE, SIDE)), CLASSES, name="net")
        fitted = replace(monitor(), identity=Identity.of(own, own.prepare(PIXELS[0]), "lens"))
        embeddings = own.embed(images.numpy())
        wanted = fitted.check(embeddings, own.head.logits(embeddings))
        returned, decisions = wrap(whole.to(kind), fitted)(images.to(kind))
        assert torch.equal(returned, whole(images.to(kind)))
        if kind is torch.float32:
            np.testing.assert_allclose(decisions.suspicion, wanted.suspicion, atol=1e-2)
            assert (decisions.outputs == wanted.outputs).all()
    unlike = nn.Sequential(*network(0), nn.Tanh()).eval()
    with pytest.raises(UserError, match=r"MONITOR001.*is not what the model returns"):
        wrap(unlike, monitor())


def test_a_monitor_that_keeps_no_logits_of_its_model_is_fitted_anew_before_a_module_is_wrapped(tmp_path: Path) -> None:
    own = monitor()
    assert own.identity is not None
    replace(own, identity=replace(own.identity, probe_logits=None)).save(tmp_path)
    with pytest.raises(UserError, match=r"MONITOR007.*kept the logits"):
        wrap(network(0), Monitor.load(tmp_path))


def test_a_wrapped_session_too(tmp_path: Path) -> None:
    wrap(session(0, tmp_path), monitor())
    with pytest.raises(UserError, match=r"MONITOR007"):
        wrap(session(1, tmp_path), monitor())


def test_a_model_that_cannot_be_asked_needs_your_word() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(DIMENSION, 10)

        def forward(self, text: dict[str, torch.Tensor]) -> torch.Tensor:
            logits: torch.Tensor = self.head(text["words"])
            return logits

    with pytest.raises(UserError, match=r"MONITOR007.*does not take") as caught:
        wrap(Words(), monitor())
    assert "same_model=True" in caught.value.diagnostics[0].fix
    wrap(Words(), monitor(), same_model=True)


def served(folder: Path) -> None:
    deployed(folder, None)


def exported(folder: Path, start: str = "image") -> None:
    call = ["--study", str(folder), "--onnx", str(folder / "out.onnx"), "--from", start]
    CliRunner().invoke(export, call, catch_exceptions=False)


def exported_alone(folder: Path) -> None:
    exported(folder, "embedding")


@pytest.mark.parametrize("use", [served, exported, exported_alone])
def test_a_study_whose_model_was_exchanged_is_neither_served_nor_exported(
    use: Callable[[Path], None], tmp_path: Path
) -> None:
    own, exchanged = study(tmp_path / "own", 0), study(tmp_path / "exchanged", 1)
    known = open_model(read_config(own / "study.toml"), own)
    identity = Identity.of(known, known.prepare(PIXELS[0]), "lens")
    for folder in (own, exchanged):
        replace(monitor(), identity=identity).save(folder / "monitor")
    use(own)
    with pytest.raises(ConspectError, match=r"MONITOR007.*belongs to another model"):
        use(exchanged)


def test_hostile_identities_are_refused(tmp_path: Path) -> None:
    for changes in ({"model_digest": 5}, {"probe_shape": [1 << 60, 4]}, {"probe_shape": [-1]}, {"probe_shape": "x"}):
        monitor().save(tmp_path)
        file = tmp_path / "monitor.json"

        about = json.loads(file.read_text())
        about["identity"] |= changes
        file.write_text(json.dumps(about))
        with pytest.raises(ConspectError, match="MONITOR004"):
            Monitor.load(tmp_path)

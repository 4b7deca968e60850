"""A study of a model of one's own, from study.toml to the report: every part read from disk as a user has it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from conspect.adapters.models import load_model
from conspect.core.diagnostics import UserError
from conspect.study import Study, read_config
from tests.adapters.cases import NAMES, clip, from_transformers, from_transformers_vlm, onnx_classifier, pictures
from tests.records import plain

STUDY = """\
[data]
train = "images/train"
test = "images/test"

[model]
kind = "{kind}"
path = "model"
known = "known.safetensors"

[vlm]
kind = "transformers"
path = "vlm"

[concepts]
file = "concepts.toml"
"""
CONCEPTS = '[concepts]\nwheels = ["wheels", "round wheels"]\nfur = ["fur"]\nears = ["pointed ears"]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images of three classes, a VLM, concepts."""
    for split, number in (("train", 15), ("test", 6)):
        for label, name in enumerate(NAMES):
            (tmp_path / "images" / split / name).mkdir(parents=True)
            for index, image in enumerate(pictures(number, seed=10 * label + number)):
                Image.fromarray(image).save(tmp_path / "images" / split / name / f"{index}.png")
    (tmp_path / "concepts.toml").write_text(CONCEPTS)
    for name in ("model", "vlm"):
        (tmp_path / name).mkdir()
    return tmp_path


def write_known(folder: Path, library: object) -> None:
    image = pictures(1, seed=99)[0]
    logits = np.asarray(library([image]), dtype=np.float64)[0]  # type: ignore[operator]
    save_file({"image": image, "logits": logits}, folder / "known.safetensors")


@pytest.mark.parametrize("kind", ["transformers", "onnx"])
def test_a_study_of_ones_own_model_runs_to_the_report(folder: Path, kind: str) -> None:
    pytest.importorskip("transformers")
    pytest.importorskip("onnxruntime")
    if kind == "transformers":
        small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
        make = from_transformers(
            lambda t: t.ViTConfig(**small, image_size=32, patch_size=8, id2label=dict(enumerate(NAMES))),
            lambda t: t.ViTImageProcessorPil(size={"height": 32, "width": 32}),
        )
        _, library = make(folder / "model", 0)
    else:
        _, library = onnx_classifier(folder / "model", 0, gemm=True, softmax=True, external=True)
    from_transformers_vlm(clip)(folder / "vlm", 0)
    write_known(folder, library)
    (folder / "study.toml").write_text(STUDY.format(kind=kind))

    results = plain(Study.open(folder).run())
    paths = sorted((folder / "images/test").glob("*/*.png"))
    logits = library([np.asarray(Image.open(path)) for path in paths])
    outputs = np.asarray(logits).argmax(1)
    assert results["model"]["accuracy"] == np.mean(
        [NAMES[k] == path.parent.name for k, path in zip(outputs, paths, strict=True)]
    )
    statement = results["model"]["statement"]
    assert any("replays" in line for line in statement["checked"])
    assert any("known logits in known.safetensors" in line for line in statement["checked"])
    assert results["model"]["head"] == "linear"
    assert results["vlm"]["statement"]["device"] == "cpu"
    assert "all weights loaded" in (folder / "report.html").read_text(encoding="utf-8")
    assert plain(Study.open(folder).results())["model"] == results["model"]
    config = folder / "vlm" / "config.json"  # another VLM in the same folder makes the results stale
    config.write_text(config.read_text() + " ")
    with pytest.raises(UserError, match="STUDY004"):
        Study.open(folder).results()


def test_a_known_output_of_another_preprocessing_is_refused(folder: Path) -> None:
    pytest.importorskip("onnxruntime")
    load, library = onnx_classifier(folder / "model", 0, gemm=True, softmax=False, external=False)
    write_known(folder, library)
    assert load(known=folder / "known.safetensors")
    steps = folder / "model" / "preprocessor_config.json"
    steps.write_text(steps.read_text().replace("0.5", "0.45"))
    with pytest.raises(UserError, match="MODEL007"):
        load(known=folder / "known.safetensors")
    save_file({"image": np.zeros((8, 8, 3), np.uint8)}, folder / "known.safetensors")
    with pytest.raises(UserError, match="MODEL007: not a known output"):
        load(known=folder / "known.safetensors")
    with pytest.raises(UserError, match="MODEL004"):
        load(device="tpu")
    with pytest.raises(UserError, match="MODEL004"):
        load(precision="bf16")
    with pytest.raises(UserError, match="MODEL002: its output has shape"):
        load(classes=("a", "b"))


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ('[model]\nkind = "onnx"\n', ["[model] path is missing"]),
        ('[model]\nkind = "onnx"\npath = "m"\nweights = "w"\n', ['[model] weights is not used by kind = "onnx"']),
        ('[model]\nkind = "timm"\n', ["[model] needs name or path"]),
        ('[model]\nkind = "transformers"\nname = "a"\npath = "b"\n', ["[model] needs either name or path"]),
        ('[model]\nkind = "tim"\nname = "a"\n', ["[model] kind = 'tim' is not one of 'conspect', 'module'"]),
        ('[model]\nname = "demo-resnet"\ndevice = "cuda"\n', ['[model] device is not used by kind = "conspect"']),
        (
            '[model]\nkind = "timm"\nname = "a"\nprecision = "int8"\n',
            ["[model] precision = 'int8' is not one of 'fp32'"],
        ),
        (
            '[model]\nkind = "timm"\nname = "a"\nclasses = 3\n',
            ["[model] classes = 3 is not a list of texts, or the name"],
        ),
        (
            '[model]\nkind = "module"\nname = "a:b"\n',
            ["[model] classes is missing", "[model] preprocessing is missing"],
        ),
        ('[model]\nname = "demo-resnet"\n[vlm]\nkind = "onnx"\n', ["[vlm] path is missing"]),
        ('[model]\nname = "demo-resnet"\n[vlm]\npath = "x"\n', ['[vlm] path is not used by kind = "pocket"']),
    ],
)
def test_keys_that_a_kind_lacks_or_does_not_use_are_told(tmp_path: Path, section: str, told: list[str]) -> None:
    (tmp_path / "study.toml").write_text(f'[data]\ntrain = "a"\ntest = "b"\n{section}')
    with pytest.raises(UserError) as caught:
        read_config(tmp_path / "study.toml")
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {"STUDY002"}
    problems = [diagnostic.problem for diagnostic in caught.value.diagnostics]
    assert len(problems) == len(told)
    assert all(problem.startswith(wanted) for problem, wanted in zip(problems, told, strict=True))


def test_names_of_classes_come_from_lists_and_files(tmp_path: Path) -> None:
    from conspect.adapters.sources.classes import read_classes

    for name, text in (("c.txt", "cat\n\n crane\ncrane\n"), ("c.json", '["cat", "crane", "crane"]')):
        (tmp_path / name).write_text(text)
        assert read_classes(tmp_path / name) == ("cat", "crane (1)", "crane (2)")
    (tmp_path / "config.json").write_text('{"id2label": {"1": "dog", "0": "cat"}}')
    assert read_classes(tmp_path / "config.json") == ("cat", "dog")
    for text in ("", "{}", "[1]", "[]", '{"id2label": {"0": "a", "2": "b"}}', '{"id2label": []}', "["):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(UserError, match=r"bad\.json: MODEL002: not a list of classes"):
            read_classes(tmp_path / "bad.json")


def test_an_unknown_model_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"MODEL002.*'resnet-1000'"):
        load_model("resnet-1000", None)

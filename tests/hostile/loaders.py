"""Every loader of a file from outside, in one table: what a path has to end with, and how it is read."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from conspect.adapters.datasets import DataKind, DataSource, cifar10, image_folder, open_split
from conspect.adapters.datasets.image_files import read_image
from conspect.adapters.models import ModelKind, load_model
from conspect.adapters.ontologies.rdf import read_ontology
from conspect.adapters.preprocessing import read_preprocessing
from conspect.adapters.runtimes.weights import read_weights
from conspect.adapters.sources.classes import read_classes
from conspect.adapters.store.embeddings import embed
from conspect.adapters.store.texts import cached_text_encoder
from conspect.checker import check
from conspect.cli import spec as cli_spec
from conspect.core.diagnostics import ConspectError
from conspect.core.files import read_specification
from conspect.language import check_text, format_text
from conspect.monitor.runtime import Monitor
from conspect.study import StudyConfig, read_config
from conspect.study.config import ConceptsConfig
from conspect.study.inputs import demo_or_own_concepts
from tests.fakes import FakeModel, FakeVlm, colour_dataset

# What a loader may raise; anything else is a fault of Conspect.
REFUSALS = (ConspectError, check.Refused)


@dataclass(frozen=True)
class Loader:
    """Reads `folder`/`name`, which the test has written. `valid`: writes a file that it does read."""

    name: str
    read: Callable[[Path], object]
    valid: Callable[[Path], object] | None = None


def _shard(path: Path) -> object:
    """As a shard of the embedding store."""
    return embed(FakeModel(), colour_dataset(10), path.parents[1])


def _shard_name() -> str:
    from conspect.adapters.store import embeddings
    from conspect.core.digests import digest_json

    data = colour_dataset(10)
    key = digest_json([embeddings.FORMAT, "model-1", data.digest, embeddings.BATCH, embeddings.BATCHES_PER_SHARD])
    return f"{key[:32]}/000000000-000000010.safetensors"


def _text_name() -> str:
    from conspect.core.digests import digest_json

    return f"texts-{digest_json(['vlm-1', ['red']])[:32]}.safetensors"


def _write_table(path: Path) -> None:
    path.write_text("class,reddish,greenish\nred,1,0\ngreen,0,1\n")


def _write_concepts(path: Path) -> None:
    path.write_text(
        'concept_templates = ["{}"]\n[concepts]\nred = ["red"]\nblue = { phrases = ["blue"], unseen = "azure" }\n'
    )


def _write_image(path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(path)


def _write_spec(path: Path) -> None:
    path.write_text("property p:\n    for all x in focus(red, gamma = 0.5):\n        predict(x, red) implies a > b\n")


def _first_image(kind: DataKind, path: Path) -> object:
    """As data of a kind: opened, and its first image read."""
    where = str(path)
    source = DataSource(kind=kind, train=where, test=where, directory=str(path.parent))
    images = open_split(source, "test", folder=path.parent, cache=path.parent / "cache")
    return images.image(0)


def _write_csv(path: Path) -> None:
    _write_image(path.with_name("a.png"))
    path.write_text("path,label\na.png,cat\n")


def _write_parquet(path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    _write_image(path.with_name("a.png"))
    content = path.with_name("a.png").read_bytes()
    parquet.write_table(pa.table({"image": [content], "label": ["cat"]}), path)


def _write_shard(path: Path) -> None:
    import tarfile

    _write_image(path.with_name("a.png"))
    path.with_name("a.cls").write_text("cat")
    with tarfile.open(path, "w") as archive:
        for name in ("a.png", "a.cls"):
            archive.add(path.with_name(name), name)


STEPS = '{"do_resize": true, "size": {"height": 16, "width": 16}, "do_normalize": false}'


def _model(kind: ModelKind, path: Path) -> object:
    # Without a preprocessing the file itself would not be opened.
    path.with_name("preprocessor_config.json").write_text(STEPS)
    return load_model(None, path, kind=kind, classes=("a", "b"))


def _write_model(kind: ModelKind, path: Path) -> None:
    import warnings

    import torch
    from torch import nn

    body = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network, sample = nn.Sequential(body, nn.Linear(4, 2)).eval(), torch.zeros(2, 3, 16, 16)
    if kind == "onnx":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network,
                (sample,),
                path,
                dynamo=False,
                opset_version=17,
                input_names=["x"],
                dynamic_axes={"x": {0: "n"}},
            )
        return
    torch.export.save(torch.export.export(network, (sample,), dynamic_shapes=({0: torch.export.Dim("n")},)), path)


DATA: dict[str, tuple[DataKind, Callable[[Path], object] | None]] = {
    "images.csv": ("csv", _write_csv),
    "images.parquet": ("parquet", _write_parquet),
    "0.tar": ("webdataset", _write_shard),
    "test.bin": ("cifar100", None),
    "test": ("cifar100", None),
}
MODELS: dict[str, ModelKind] = {"model.onnx": "onnx", "model.pt2": "torch-export"}
OF_DATA = tuple(Loader(name, partial(_first_image, kind), valid) for name, (kind, valid) in DATA.items())
OF_MODELS = tuple(Loader(name, partial(_model, kind), partial(_write_model, kind)) for name, kind in MODELS.items())

LOADERS = (
    *OF_DATA,
    *OF_MODELS,
    Loader("weights.safetensors", read_weights),
    Loader("weights.pth", read_weights),
    Loader("classes.txt", read_classes),
    Loader("classes.json", read_classes),
    Loader("preprocessing.json", read_preprocessing),
    Loader(
        "study.toml",
        read_config,
        lambda path: path.write_text(
            StudyConfig()
            .to_toml()
            .replace("[data]", '[data]\ntrain = "a"\ntest = "b"')
            .replace("[model]", '[model]\nname = "x"')
        ),
    ),
    Loader(
        "concepts.toml",
        lambda path: demo_or_own_concepts(StudyConfig(concepts=ConceptsConfig(file=path.name)), path.parent),
        _write_concepts,
    ),
    Loader("table.csv", cli_spec._vocabulary, _write_table),
    Loader("model.safetensors", lambda path: load_model(None, path)),
    Loader(_shard_name(), _shard, _shard),
    Loader(
        _text_name(),
        lambda path: cached_text_encoder(FakeVlm(), path.parent)(["red"]),
        lambda path: save_file({"texts": np.ones((1, 4), np.float32)}, path),
    ),
    Loader("image.png", read_image, _write_image),
    Loader("image.jpg", read_image, _write_image),
    Loader("image.tiff", read_image, _write_image),
    Loader("test_batch.bin", lambda path: cifar10.load("test", directory=path.parent, cache=path.parent)),
    Loader("test_batch.png", lambda path: cifar10.load("test", directory=path.parent, cache=path.parent)),
    Loader("test_batch", lambda path: cifar10.load("test", directory=path.parent, cache=path.parent)),
    Loader("train/a/b.png", lambda path: image_folder.load(path.parents[1]).image(0), _write_image),
    Loader("spec.cspec", lambda path: check_text(read_specification(path), None, path.name).require(), _write_spec),
    Loader("spec2.cspec", lambda path: format_text(read_specification(path), path.name), _write_spec),
    Loader("certificate.json", check.check_file),
    Loader("monitor.json", lambda path: Monitor.load(path.parent)),
    Loader("ontology.ttl", read_ontology),
    Loader("ontology.owl", read_ontology),
    Loader("ontology.jsonld", read_ontology),
)

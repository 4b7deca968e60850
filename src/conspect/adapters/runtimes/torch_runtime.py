"""Where a torch network runs and how precisely: device, mixed precision, and the tolerance that goes with it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from conspect.core.diagnostics import outside_error, user_error

if TYPE_CHECKING:
    import torch

# How far outputs may lie from fp32's on the CPU, relative to the largest of them: stated in docs/models.md.
TOLERANCES = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 5e-2}
PRECISIONS = tuple(TOLERANCES)
# The first version whose image processors all have a form without torchvision, which gives the same values everywhere.
OLDEST = {"transformers": 5}
# What a library imports where it is there: broken, it breaks the library.
BESIDE = {"transformers": ("torchvision",)}


def need(packages: str, code: str, what: str, extra: str) -> None:
    """Raises OutsideError `code` when one of the comma-separated modules is not installed, too old, or cannot be imported."""
    missing = [package for package in packages.split(", ") if find_spec(package) is None]
    if missing:
        fix = f"pip install 'conspect[{extra}]'"
        if "torchvision" in missing and find_spec("torch") is not None:
            fix = f"{_pair()}; then {fix}"
        raise outside_error(code, f"{what} needs {' and '.join(missing)}", fix)
    named = packages.split(", ")
    for package in [
        *named,
        *(beside for name in named for beside in BESIDE.get(name, ()) if find_spec(beside) is not None),
    ]:
        try:
            module = importlib.import_module(package)
        except (ImportError, RuntimeError, OSError) as error:
            # torchvision beside a torch that it was not built for, CUDA libraries that are not there, ...
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            fix = (
                _fitting()
                if package == "torchvision"
                else f"install versions that fit: pip install 'conspect[{extra}]'"
            )
            raise outside_error(code, f"{package} cannot be imported: {why}", fix) from error
        if package in OLDEST and int(module.__version__.split(".")[0]) < OLDEST[package]:
            problem = f"{what} needs {package} {OLDEST[package]}, and {module.__version__} is installed"
            raise outside_error(code, problem, f"pip install -U 'conspect[{extra}]'")


def _fitting() -> str:
    """How to replace a torchvision that was built for another torch."""
    from importlib.metadata import version

    problem = f"torch {version('torch')} is there, and torchvision was built for another; the pair that fits"
    return f"{problem}: {_pair(' --force-reinstall')}"


def _pair(options: str = "") -> str:
    """How to get the torchvision of the torch that is there: the same index, and the release that goes with its number."""
    from importlib.metadata import version

    release = version("torch")
    number, _, build = release.partition("+")
    major, minor = (int(part) for part in number.split(".")[:2])
    # torch 2.N goes with torchvision 0.(N + 15), since torch 2.0.
    pair = f"torchvision==0.{minor + 15}.*" if major == 2 else "torchvision"
    index = f" --index-url https://download.pytorch.org/whl/{build}" if build else ""
    return f"pip install{options} --no-deps '{pair}'{index}"


@dataclass(frozen=True)
class TorchRuntime:
    """A device that is there and a precision that it has."""

    device: torch.device
    precision: str

    @property
    def tolerance(self) -> float:
        """Of outputs against fp32 on the CPU, relative to the largest."""
        return TOLERANCES[self.precision]

    @property
    def keys(self) -> list[str]:
        """What a digest must know of it: the kind of device and the precision."""
        return [self.device.type, self.precision]

    @contextmanager
    def running(self) -> Iterator[None]:
        """No gradients, and mixed precision where it was asked for."""
        import torch

        dtype = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[self.precision]
        with torch.inference_mode(), torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None):
            yield

    def tensor(self, array: Any) -> torch.Tensor:
        """A NumPy array on the device."""
        import numpy as np
        import torch

        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def torch_runtime(device: str, precision: str) -> TorchRuntime:
    """Raises UserError MODEL004 for a device that is not there or a precision that is not known."""
    import torch

    if precision not in PRECISIONS:
        raise user_error("MODEL004", f"there is no precision {precision!r}", f"use one of: {', '.join(PRECISIONS)}")
    try:
        placed = torch.device(device)
        torch.zeros(1, device=placed).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        there = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
        there += ["mps"] if torch.backends.mps.is_available() else []
        problem = f"the device {device!r} is not available to torch {torch.__version__}"
        raise user_error("MODEL004", problem, f"available: {', '.join(there)}") from error
    if precision == "bf16" and placed.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise user_error("MODEL004", f"the device {device!r} has no bf16", 'use precision = "fp16"')
    return TorchRuntime(placed, precision)

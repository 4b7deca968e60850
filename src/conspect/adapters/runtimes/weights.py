"""Weights of torch networks from local files: safetensors, or a `.pth` read without running anything that is in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conspect.core.diagnostics import SourceLocation, outside_error, user_error

if TYPE_CHECKING:
    import torch
    from torch import nn

SAFE, PICKLED = (".safetensors",), (".pth", ".pt", ".bin", ".ckpt", ".tar")
# How a zip begins, and the number that torch.save wrote first before it wrote zips.
BEGINNINGS = (b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
# Names under which training scripts keep the state beside other things.
INSIDE = (
    "state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model", "model_state_dict", "module", "net", "network",
    "weights", "params",
)  # fmt: skip
ASKED = re.compile(r"(?:GLOBAL|global:?|class)\s+`?([A-Za-z_][\w.]*\.[A-Za-z_]\w*)")
SHOWN = 3


def read_weights(path: Path, code: str = "MODEL002") -> dict[str, torch.Tensor]:
    """Names to tensors. Raises UserError `code` for another kind of file, or one that asks to run code."""
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix in SAFE:
            return dict(load_file(path))
        if path.suffix not in PICKLED:
            raise ValueError(f"its name ends neither in {SAFE[0]} nor in {', '.join(PICKLED)}")
        with path.open("rb") as stream:
            # torch looks for the cause of a failure with a search that takes hours on some other files.
            if not stream.read(len(BEGINNINGS[1])).startswith(BEGINNINGS):
                raise ValueError("it does not begin as a file of torch.save does")
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # its unpickler raises whatever a damaged file makes it stumble over
        why = _culprit(str(error)) or (str(error) or type(error).__name__).splitlines()[0]
        fix = (
            "give a safetensors file (safetensors.torch.save_file(model.state_dict(), PATH)) or a .pth of tensors alone"
        )
        raise user_error(code, f"weights cannot be read: {why}", fix, SourceLocation(str(path))) from error
    return _state(found, path, code)


def _state(found: Any, path: Path, code: str) -> dict[str, torch.Tensor]:
    import torch

    for name in INSIDE:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    if not isinstance(found, Mapping) or not found or not all(isinstance(v, torch.Tensor) for v in found.values()):
        problem = "there are no weights in it, or more than weights"
        raise user_error(code, problem, "save model.state_dict() alone", SourceLocation(str(path)))
    names = [str(name) for name in found]
    return dict(zip(names, found.values(), strict=True))


def _culprit(message: str) -> str | None:
    """What a refused pickle asks for, from torch's long explanation of it."""
    named = ASKED.search(message)
    return None if named is None else f"it asks for {named.group(1)} when it is read, which is code, not weights"


def _without_prefix(given: dict[str, torch.Tensor], wanted: Iterable[str]) -> dict[str, torch.Tensor]:
    """The weights under the names of the network: prefixes that all names share (module., _orig_mod., model., ...) are taken
    off one after another until a name is wanted.
    """
    known = set(wanted)
    while given and not known & set(given):
        heads = {name.partition(".")[0] for name in given}
        if len(heads) != 1 or not all("." in name for name in given):
            break
        given = {name.partition(".")[2]: value for name, value in given.items()}
    return given


def load_weights(network: nn.Module, path: Path, code: str = "MODEL002") -> None:
    """Puts the weights of a file into `network`; every one must fit and none may be missing.

    Raises UserError `code`.
    """
    wanted = network.state_dict()
    given = _without_prefix(read_weights(path, code), wanted)
    missing = [name for name in wanted if name not in given and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in given if name not in wanted]
    misfits = [
        f"{name} is {tuple(given[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in wanted
        if name in given and given[name].shape != wanted[name].shape
    ]
    complain(path, code, missing=missing, unexpected=unexpected, misfits=misfits)
    network.load_state_dict(given, strict=False)


def complain(place: object, code: str, **kinds: list[str]) -> None:
    """Raises the error of weights that did not load, when there are any. UserError `code`; OutsideError for VLM002."""
    told = [f"{len(names)} {kind} ({_first(names)})" for kind, names in kinds.items() if names]
    if told:
        error = outside_error if code == "VLM002" else user_error
        raise error(
            code,
            f"weights did not load: {'; '.join(told)}",
            "give the weights of this very architecture, with as many classes",
            SourceLocation(str(place)),
        )


def _first(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")

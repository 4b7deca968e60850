"""Weights of torch networks from local files: safetensors, or a `.pth` read without running anything that is in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conspect.adapters.sources.pointers import pointer_of
from conspect.core.diagnostics import SourceLocation, outside_error, user_error

if TYPE_CHECKING:
    import torch
    from torch import nn

SAFE, PICKLED = (".safetensors",), (".pth", ".pt", ".bin", ".ckpt", ".tar")
# How a zip begins, and the number that torch.save wrote first before it wrote zips.
BEGINNINGS = (b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
# Names under which training scripts keep the state beside other things.
INSIDE = (
    "state_dict_ema", "model_ema", "ema_state_dict", "params_ema", "ema", "state_dict", "model", "model_state_dict", "module",
    "net", "network", "weights", "params",
)  # fmt: skip
ASKED = re.compile(r"(?:GLOBAL|global:?|class)\s+`?([A-Za-z_][\w.]*\.[A-Za-z_]\w*)")
SHOWN, DEPTH = 3, 3
# What wraps a network, or a part of it, and puts its name into those of weights: DDP, torch.compile, FSDP, checkpointing.
WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"}
COUNTER = "num_batches_tracked"
# Names that say what was done to a network, and what undoes it.
MARKS = {
    "lora_": "merge the adapters first (model.merge_and_unload()), then save its state_dict()",
    "_flat_param": "gather the shards first (FSDP's FULL_STATE_DICT), then save",
    "parametrizations": "take the parametrizations off first (torch.nn.utils.parametrize.remove_parametrizations), then save",
    "weight_g": "take weight norm off first (torch.nn.utils.remove_weight_norm), then save",
}


def read_weights(path: Path, code: str = "MODEL002") -> dict[str, torch.Tensor]:
    """Names to tensors: of several states in the file the first under the names of `INSIDE`, or the outermost.

    Raises UserError `code` for another kind of file, one that asks to run code, or one without weights.
    """
    return next(iter(_states(_read(path, code), path, code).values()))


def _read(path: Path, code: str) -> Any:
    """What a file of weights holds, of whatever nesting."""
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix in SAFE:
            return load_file(path)
        if path.suffix not in PICKLED:
            raise ValueError(f"its name ends neither in {SAFE[0]} nor in {', '.join(PICKLED)}")
        with path.open("rb") as stream:
            # torch looks for the cause of a failure with a search that takes hours on some other files.
            if not stream.read(len(BEGINNINGS[1])).startswith(BEGINNINGS):
                raise ValueError("it does not begin as a file of torch.save does")
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # its unpickler raises whatever a damaged file makes it stumble over
        why = (
            pointer_of(path)
            or _culprit(str(error))
            or (str(error) or type(error).__name__).splitlines()[0].split(". ")[0]
        )
        fix = (
            "give a safetensors file (safetensors.torch.save_file(model.state_dict(), PATH)) or a .pth of tensors alone"
        )
        raise user_error(code, f"weights cannot be read: {why}", fix, SourceLocation(str(path))) from error


def _states(content: Any, path: Path, code: str) -> dict[str, dict[str, torch.Tensor]]:
    """Every mapping of names to tensors in what a file holds, by where it stands, in the order in which they are wanted."""
    import torch

    states: dict[str, dict[str, torch.Tensor]] = {}
    waiting: list[tuple[tuple[str, ...], Any]] = [((), content)]
    while waiting:
        place, here = waiting.pop(0)
        if not isinstance(here, Mapping) or len(place) > DEPTH:
            continue
        tensors = {str(name): value for name, value in here.items() if isinstance(value, torch.Tensor)}
        inner = [(str(name), value) for name, value in here.items() if isinstance(value, Mapping)]
        if tensors:
            states["/".join(place)] = tensors
        inner.sort(key=lambda entry: INSIDE.index(entry[0]) if entry[0] in INSIDE else len(INSIDE))
        waiting += [((*place, name), value) for name, value in inner]
    if not states:
        problem = "there are no weights in it"
        raise user_error(code, problem, "save model.state_dict() alone", SourceLocation(str(path)))
    return states


def _culprit(message: str) -> str | None:
    """What a refused pickle asks for, from torch's long explanation of it."""
    if "TorchScript archive" in message:
        return "it is a TorchScript archive, whose network is code"
    named = ASKED.search(message)
    return None if named is None else f"it asks for {named.group(1)} when it is read, which is code, not weights"


def _unwrapped(given: dict[str, torch.Tensor], wanted: Iterable[str]) -> dict[str, torch.Tensor]:
    """The weights without what wrappers put into names (`module.` of DDP, `_orig_mod.` of torch.compile, ...), anywhere in them,
    unless the network itself has a part of that name.
    """
    own = {part for name in wanted for part in name.split(".")}
    dropped = WRAPPERS - own
    renamed = {
        ".".join(part for part in name.split(".") if part not in dropped): value for name, value in given.items()
    }
    return renamed if len(renamed) == len(given) else given


def _prefixes(given: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """The prefixes under which all wanted names are there, the shortest first."""
    there, needed = set(given), [name for name in wanted if not name.endswith(COUNTER)]
    if not needed:
        return []
    longest = max(needed, key=len)
    prefixes = {name.removesuffix(longest) for name in there if name.endswith(longest)}
    return sorted(
        (prefix for prefix in prefixes if all(prefix + name in there for name in needed)),
        key=lambda prefix: (len(prefix), prefix),
    )


def _without_prefix(given: dict[str, torch.Tensor], wanted: Iterable[str]) -> dict[str, torch.Tensor]:
    """The weights with prefixes that all names share (module., _orig_mod., model., ...) taken off until a name is wanted."""
    known = set(wanted)
    while given and not known & set(given):
        heads = {name.partition(".")[0] for name in given}
        if len(heads) != 1 or not all("." in name for name in given):
            break
        given = {name.partition(".")[2]: value for name, value in given.items()}
    return given


def load_weights(network: nn.Module, path: Path, code: str = "MODEL002") -> str:
    """Puts the weights of a file into `network`; none may be missing, of another shape, or left over beside those it takes.

    The weights may lie under any prefix, beside those of other parts (a loss, a teacher) and beside another state of the same
    network (an average, the last one): what was taken and what was left out is returned, for the statement. Raises UserError
    `code`, also where two parts of the file fit and none is the usual choice.
    """
    wanted = network.state_dict()
    content = _read(path, code)
    states = _states(content, path, code)
    first = next(iter(states.values()))
    chosen, other, taken = _without_prefix(_unwrapped(first, wanted), wanted), list[str](), next(iter(states))
    fitting = [
        (place, prefix, state)
        for place, whole in states.items()
        for state in (whole, _unwrapped(whole, wanted))[: 1 if _prefixes(whole, wanted) else 2]
        for prefix in _prefixes(state, wanted)
    ]
    if fitting:
        place, prefix, state = fitting[0]
        twice = [other for other in fitting[1:] if other[0] == place or place.rpartition("/")[2] not in INSIDE]
        if twice and (prefix or twice[0][0] != place):
            left_out = " and ".join(repr(f"{where}/{begins}".strip("/")) for where, begins, _ in (fitting[0], twice[0]))
            fix = "save the state_dict() of the part that is meant alone"
            problem = f"the network's weights are there twice, under {left_out}"
            raise user_error(code, problem, fix, SourceLocation(str(path)))
        chosen, taken = (
            {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)},
            place,
        )
        other = sorted(name for name in state if not name.startswith(prefix))
    missing = [name for name in wanted if name not in chosen and not name.endswith(COUNTER)]
    unexpected = [name for name in chosen if name not in wanted]
    misfits = [
        f"{name} is {tuple(chosen[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in wanted
        if name in chosen and chosen[name].shape != wanted[name].shape
    ]
    misfits += [f"{name} {why}" for name in wanted if name in chosen and (why := _unfit(chosen[name], wanted[name]))]
    complain(path, code, given=first, missing=missing, unexpected=unexpected, misfits=misfits)
    network.load_state_dict(chosen, strict=False)
    left_out = f"; {len(other)} tensors of {path.name} belong to other parts ({_first(other)})" if other else ""
    stray = _other_states(content, states, network, taken)
    if stray:
        left_out += f"; of {path.name} {taken or 'the outermost state'!r} was taken, and left out {_first(stray)}"
    return left_out


def _other_states(content: Any, states: Mapping[str, Any], network: nn.Module, taken: str) -> list[str]:
    """Where the file holds further states of the same network beside the one that was taken: averages kept under names, also of
    the parameters alone, and lists of as many tensors as it has parameters, of the same shapes.
    """
    import torch

    parameters = dict(network.named_parameters())
    shapes = [tuple(parameter.shape) for parameter in parameters.values()]
    others = []
    for place, state in states.items():
        ends = {".".join(parts[k:]) for name in state for parts in [name.split(".")] for k in range(len(parts))}
        if place != taken and 2 * len(ends & parameters.keys()) >= max(len(parameters), 1):
            others.append(repr(place or "the outermost state"))
    waiting: list[tuple[tuple[str, ...], Any]] = [((), content)]
    while waiting:
        path, here = waiting.pop(0)
        if isinstance(here, Mapping) and len(path) <= DEPTH:
            waiting += [((*path, str(name)), value) for name, value in here.items()]
        elif isinstance(here, list | tuple):
            listed = [tuple(tensor.shape) for tensor in here if isinstance(tensor, torch.Tensor)]
            others += [f"{'/'.join(path)!r} (a list)"] if listed and listed == shapes else []
    return others


def _unfit(given: torch.Tensor, wanted: torch.Tensor) -> str:
    """Why the values of a tensor cannot stand for those that the network wants: it would be rounded or filled without a word."""
    import torch

    kinds = f"{str(given.dtype).removeprefix('torch.')}, not {str(wanted.dtype).removeprefix('torch.')}"
    if given.is_meta:
        return "has no values (it is on the device meta)"
    if given.is_quantized or given.layout != torch.strided:
        return "is quantised" if given.is_quantized else "is sparse"
    real = wanted.is_floating_point() and not given.is_floating_point()
    return f"is {kinds}" if real or (given.is_complex() and not wanted.is_complex()) else ""


def complain(place: object, code: str, *, given: Iterable[str] = (), **kinds: list[str]) -> None:
    """Raises the error of weights that did not load, when there are any. UserError `code`; OutsideError for VLM002.

    `given`: all names in the file, which may say what was done to the network.
    """
    misfits = [f"{len(names)} {kind} ({_first(names)})" for kind, names in kinds.items() if names]
    if misfits:
        error = outside_error if code == "VLM002" else user_error
        marked = (fix for mark, fix in MARKS.items() if any(mark in name for name in given))
        fix = next(marked, "give the weights of this very architecture, with as many classes")
        raise error(code, f"weights did not load: {'; '.join(misfits)}", fix, SourceLocation(str(place)))


def _first(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")

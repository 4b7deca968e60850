"""The logits in whatever a network returns, and calling networks in the form that they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from conspect.core.diagnostics import UserError, user_error

if TYPE_CHECKING:
    import torch

# Under these names networks return their logits beside other things.
LOGITS = ("logits", "out", "output", "pred", "predictions", "scores")


def outputs_of(returned: Any, rows: int, *, classes: int | None = None, output: str | None = None) -> torch.Tensor:
    """Outputs `[image, class]` of `rows` images in what a network returned: a tensor, something with `.logits`, a dictionary
    or a sequence, of which `output` says which part (a name, or a number from 0).

    Without `output`: what is called logits, else the part with as many columns as there are `classes` (one for two classes),
    else the only part. Further axes of one are left out. Raises UserError MODEL003 where there is none, where several fit and
    differ, and for sorted values, which `topk` and `sort` return beside the classes that they belong to.
    """
    parts = _parts(returned)
    shaped = {name: rows_of for name, value in parts.items() if (rows_of := _rows(value, rows)) is not None}
    if output is not None:
        if output not in shaped:
            raise no_output(f"it returns nothing called {output!r} with one row of numbers an image", parts)
        return shaped[output]
    named = next((name for name in LOGITS if name in shaped), None)
    fitting = [name for name, array in shaped.items() if array.shape[1] == classes]
    fitting = fitting or [name for name, array in shaped.items() if classes == 2 and array.shape[1] == 1]
    if named is None and any(not _alike(shaped[fitting[0]], shaped[name]) for name in fitting[1:]):
        raise no_output(f"{' and '.join(fitting)} of what it returns have as many columns as there are classes", parts)
    chosen = named or (fitting[0] if fitting else next(iter(shaped)) if len(shaped) == 1 else None)
    if chosen is None:
        raise no_output("it returns no logits [image, class]", parts)
    if any(_permutes(value, shaped[chosen]) for value in parts.values()):
        raise no_output(f"{chosen} of what it returns is sorted, so that its columns are not the classes", parts)
    return shaped[chosen]


def _parts(returned: Any) -> dict[str, Any]:
    if isinstance(returned, Mapping):
        return {str(key): value for key, value in returned.items()}
    if hasattr(returned, "logits"):
        return {"logits": returned.logits}
    if isinstance(returned, Sequence) and not isinstance(returned, str):
        return {str(index): value for index, value in enumerate(returned)}
    return {"0": returned}


def _rows(value: Any, rows: int) -> torch.Tensor | None:
    """`value` as `[image, class]`; None where it has not one row of floats an image (whole numbers are classes, no logits)."""
    import torch

    if not isinstance(value, torch.Tensor) or value.ndim == 0 or len(value) != rows or not value.is_floating_point():
        return None
    if value.layout != torch.strided:
        return None
    if sum(side != 1 for side in value.shape[1:]) > 1:
        return None
    return value.reshape(rows, -1) if value.ndim != 2 else value


def _alike(first: torch.Tensor, second: torch.Tensor) -> bool:
    import torch

    return torch.equal(first, second)


def _permutes(value: Any, outputs: torch.Tensor) -> bool:
    """Whether `value` says for each column of `outputs` which class it is of."""
    import torch

    whole = isinstance(value, torch.Tensor) and not value.is_floating_point() and not value.is_complex()
    if not whole or value.shape != outputs.shape or outputs.shape[1] < 2:
        return False
    return bool((value.sort(1)[0] == torch.arange(outputs.shape[1], device=value.device)).all())


def _layout(value: Any) -> str:
    layout = str(getattr(value, "layout", "torch.strided")).removeprefix("torch.")
    return "" if layout == "strided" else f" {layout}"


def _described(value: Any) -> str:
    kind = type(value)
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        return str(kind.__name__)
    foreign = "" if kind.__module__.startswith("torch") else f" ({kind.__module__}.{kind.__name__}, not a tensor)"
    return f"{list(value.shape)} {str(value.dtype).removeprefix('torch.')}{_layout(value)}{foreign}"


def no_output(why: str, parts: Mapping[str, Any]) -> UserError:
    """The error that lists what a network returned."""
    listed = [f"{name}: {_described(value)}" for name, value in parts.items()]
    fix = "say which part holds the logits with `output`, or let the network return them as a tensor [image, class] of floats"
    return user_error("MODEL003", f"the model: {why}; it returns {', '.join(listed)}", fix)

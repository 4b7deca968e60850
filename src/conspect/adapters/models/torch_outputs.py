"""The logits in whatever a network returns, and calling networks in the form that they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from conspect.adapters.models.replay import no_head

if TYPE_CHECKING:
    import torch

# Under these names networks return their logits beside other things.
LOGITS = ("logits", "out", "output", "pred", "predictions", "scores")


def outputs_of(found: Any, rows: int, *, classes: int | None = None, output: str | None = None) -> torch.Tensor:
    """Outputs `[image, class]` of `rows` images in what a network returned: a tensor, something with `.logits`, a dictionary
    or a sequence, of which `output` says which part (a name, or a number from 0).

    Without `output`: what is called logits, else the first part with as many columns as there are `classes` (one for two
    classes), else the only part. `[image, class, 1, 1]` and `[image]` are brought into form. Raises UserError MODEL003.
    """
    parts = _parts(found)
    shaped = {name: one for name, value in parts.items() if (one := _rows(value, rows)) is not None}
    if output is not None:
        if output not in shaped:
            raise no_output(f"it returns nothing called {output!r} with one row an image", parts)
        return shaped[output]
    named = next((name for name in LOGITS if name in shaped), None)
    fitting = [name for name, one in shaped.items() if one.shape[1] == classes]
    fitting = fitting or [name for name, one in shaped.items() if classes == 2 and one.shape[1] == 1]
    chosen = named or (fitting[0] if fitting else next(iter(shaped)) if len(shaped) == 1 else None)
    if chosen is None:
        raise no_output("it returns no logits [image, class]", parts)
    return shaped[chosen]


def _parts(found: Any) -> dict[str, Any]:
    if isinstance(found, Mapping):
        return {str(key): value for key, value in found.items()}
    if hasattr(found, "logits"):
        return {"logits": found.logits}
    if isinstance(found, Sequence) and not isinstance(found, str):
        return {str(index): value for index, value in enumerate(found)}
    return {"0": found}


def _rows(value: Any, rows: int) -> torch.Tensor | None:
    """`value` as `[image, class]`; None where it has not one row an image."""
    import torch

    if not isinstance(value, torch.Tensor) or value.ndim == 0 or len(value) != rows or value.is_complex():
        return None
    if any(side != 1 for side in value.shape[2:]):
        return None
    return value.reshape(rows, -1) if value.ndim != 2 else value


def no_output(why: str, parts: Mapping[str, Any]) -> Exception:
    """The error that lists what a network returned."""
    told = [
        f"{name}: {list(value.shape) if hasattr(value, 'shape') else type(value).__name__}"
        for name, value in parts.items()
    ]
    return no_head("the model", f"{why}; it returns {', '.join(told)}", [])

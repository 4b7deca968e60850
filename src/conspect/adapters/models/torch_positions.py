"""The positions of an image that a network averages into its embedding, where it does: looked for, and believed by their mean."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import isqrt
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# By so much of the largest component of an embedding may the mean of its positions differ from it, by rounding.
TOLERANCE = 1e-4
# An average stands near the end of a network: so many results of operations are kept.
KEPT = 512


class _Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps the last results that may hold positions, whether a layer, a function or an exported graph computes them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: deque[Tensor] = deque(maxlen=KEPT)

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made.ndim in {3, 4} and made.is_floating_point():
            self.seen.append(made)
        return made


def averaged_positions(call: Callable[[], Tensor]) -> Tensor | None:
    """`[image, y, x, D]` float32 whose mean over y and x is the embeddings `[image, D]` that `call` gives by running a network.

    None where no operation gives such positions: a class token, a norm after the average, a largest value in its place. Of
    several the last. Tokens `[image, token, D]` lie row by row in a square.
    """
    with _Watching() as watching:
        embeddings = call().float()
    for tensor in reversed(watching.seen):
        for positions in _readings(tensor.float(), embeddings.shape[1]):
            if positions.shape[0] == len(embeddings) and positions[0, ..., 0].numel() > 1:
                apart = (positions.mean((1, 2)) - embeddings).abs().max()
                if bool(apart <= TOLERANCE * embeddings.abs().max()):
                    return positions
    return None


def _readings(tensor: Tensor, size: int) -> list[Tensor]:
    """Every way in which a tensor may hold positions of `size` channels, as `[image, y, x, D]`."""
    if tensor.ndim == 3:
        side = isqrt(tensor.shape[1])
        return (
            [tensor.reshape(-1, side, side, size)] if tensor.shape[2] == size and side * side == tensor.shape[1] else []
        )
    first = [tensor.permute(0, 2, 3, 1)] if tensor.shape[1] == size else []
    return first + ([tensor] if tensor.shape[3] == size else [])

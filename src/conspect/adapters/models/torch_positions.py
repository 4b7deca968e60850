"""The positions of an image that a network averages into its embedding, where it does: looked for, and believed by their mean."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

from torch import Tensor, nn

# By so much of the largest component of an embedding may the mean of its positions differ from it, by rounding.
TOLERANCE = 1e-4


def averaged_positions(network: nn.Module, call: Callable[[], Tensor]) -> Tensor | None:
    """`[image, y, x, D]` float32 whose mean over y and x is the embeddings `[image, D]` that `call` gives by running `network`.

    None where no layer takes or gives such positions: a class token, a norm after the average, a largest value in its place.
    Of several the last. Tokens `[image, token, D]` lie row by row in a square.
    """
    seen: list[Tensor] = []

    def watch(_layer: nn.Module, given: tuple[object, ...], out: object) -> None:
        for tensor in (*given[:1], out):
            if isinstance(tensor, Tensor) and tensor.ndim in {3, 4} and tensor.is_floating_point():
                seen.append(tensor.detach())

    hooks = [layer.register_forward_hook(watch) for layer in network.modules()]
    try:
        embeddings = call().float()
    finally:
        for hook in hooks:
            hook.remove()
    for tensor in reversed(seen):
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

"""Marks that pruning and rounding leave in the numbers of an encoder's weights, whatever the network is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from conspect.core.protocols import LayerMark

# Fewer weights than this show nothing.
LEAST_WEIGHTS = 512
COMMONEST = 16


def layer_marks(weights: Iterable[tuple[str, NDArray[np.floating]]]) -> tuple[LayerMark, ...]:
    """Of each named array of weights that is large enough, in the order given."""
    marks = []
    for name, values in weights:
        if values.size < LEAST_WEIGHTS:
            continue
        _, counts = np.unique(values, return_counts=True)
        repeated = np.sort(counts)[-COMMONEST:].sum() / values.size
        marks.append(LayerMark(name, float((values == 0).mean()), float(repeated)))
    return tuple(marks)


def module_weights(network: object) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Weights of all convolutions and linear maps of a torch module, in order."""
    from torch import nn

    assert isinstance(network, nn.Module)
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            yield name, layer.weight.detach().float().cpu().numpy()

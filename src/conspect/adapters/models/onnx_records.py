"""What an ONNX graph says of its own training: records of its batch norms, and marks in its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.models.departures import departure
from conspect.core.protocols import LayerDeparture

# Nodes with weights, which are their second input.
WEIGHTED = ("Conv", "Gemm", "MatMul")
EPSILON = 1e-5


def recording_nodes(graph: Any, constants: dict[str, NDArray[Any]]) -> list[Any]:
    """Batch norms whose recorded mean and variance stand in the graph, in order; norms folded into weights are gone."""
    return [
        node
        for node in graph.node
        if node.op_type == "BatchNormalization" and node.input[3] in constants and node.input[4] in constants
    ]


def graph_departures(
    nodes: Iterable[Any],
    constants: dict[str, NDArray[Any]],
    run: Callable[[NDArray[np.float32], list[str]], list[NDArray[np.float32]]],
    batches: Iterable[NDArray[np.float32]],
) -> tuple[LayerDeparture, ...]:
    """Of each of the `nodes`; `run(batch, names)` gives tensors of the graph by name. As `norm_records.layer_departures`."""
    listed = list(nodes)
    records: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = [
        (constants[node.input[3]].astype(np.float64), constants[node.input[4]].astype(np.float64)) for node in listed
    ]
    sums: list[NDArray[np.float64] | None] = [None] * len(listed)
    counts = [0] * len(listed)
    for batch in batches if listed else ():
        for k, seen in enumerate(run(batch, [node.input[0] for node in listed])):
            channels = seen.shape[1]
            centre = records[k][0].reshape([-1 if axis == 1 else 1 for axis in range(seen.ndim)])
            apart, axes = seen.astype(np.float64) - centre, tuple(axis for axis in range(seen.ndim) if axis != 1)
            total: NDArray[np.float64] = np.stack([apart.sum(axes), np.square(apart).sum(axes)])
            before = sums[k]
            sums[k] = total if before is None else before + total
            counts[k] += seen.size // channels
    departures = []
    for node, (_, recorded), summed, count in zip(listed, records, sums, counts, strict=True):
        if summed is None or not count:
            continue
        epsilon = next((attribute.f for attribute in node.attribute if attribute.name == "epsilon"), EPSILON)
        moved, squares = summed / count
        name = node.name or node.output[0]
        departures.append(departure(name, moved, squares - np.square(moved), recorded + epsilon, epsilon))
    return tuple(departures)


def graph_weights(
    graph: Any, constants: dict[str, NDArray[Any]], head: str | None
) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Float weights of convolutions and products in order, without those of the node called `head`."""
    for node in graph.node:
        name = node.name or node.output[0]
        if node.op_type in WEIGHTED and len(node.input) > 1 and node.input[1] in constants and name != head:
            weight = constants[node.input[1]]
            if np.issubdtype(weight.dtype, np.floating):
                yield name, weight

"""Reading ONNX files that may come from anywhere, and running them with ONNX Runtime. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.runtimes.input_form import Readings, readings_of
from conspect.adapters.runtimes.onnx_door import onnx_runtime
from conspect.adapters.runtimes.torch_runtime import need
from conspect.adapters.sources.hub import opening
from conspect.adapters.sources.pointers import pointer_of
from conspect.core.diagnostics import SourceLocation, outside_error, user_error

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(uint16)": np.uint16,
    "tensor(int16)": np.int16,
}
# Several values of these types (4 bits and fewer) share a byte.
PACKED = {21, 22, 23}
# Numbers of one value in a graph: a batch of 64 images at 1,000 x 1,000 has 192 million.
LARGEST_VALUE = 1 << 28
OTHER_TYPE = "write the file in float32: ONNX Runtime has this operation in no such type (double, for instance)"
FIX = "give an ONNX file of at most 2 GiB, weights included, that onnx.checker accepts"


def read_graph(path: Path, code: str) -> Any:
    """The model in `path` with its external data, all of which must lie in the same folder.

    Raises UserError MODEL005 for data outside the folder, the error `code` for what is not an ONNX file; OutsideError
    MODEL001 or VLM001 without onnx.
    """
    need("onnx, onnxruntime", f"{code[:-1]}1", "an ONNX model", "onnx")
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    folder = path.resolve().parent
    with opening(path, "onnx", FIX, code):
        try:
            model = onnx.load(path, load_external_data=False)
        except DecodeError as error:
            raise ValueError(pointer_of(path) or f"not an ONNX file: {error}") from error
        for tensor in _sparse(model):
            if tensor.external_data:
                raise ValueError("a sparse tensor has external data, which are not looked for in the model's folder")
        for tensor in tensors_of(model):
            for entry in tensor.external_data:
                if entry.key == "location" and not _inside(folder, entry.value):
                    problem = (
                        f"the weights of {tensor.name!r} are said to lie at {entry.value!r}, outside the model's folder"
                    )
                    fix = "put the data beside the model; files elsewhere are never read"
                    raise user_error("MODEL005", problem, fix, SourceLocation(str(path)))
        for tensor in tensors_of(model):
            if tensor.external_data:
                kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
                _check_external(tensor, path, np.dtype(kind).itemsize if tensor.data_type not in PACKED else 0, code)
        try:
            onnx.load_external_data_for_model(model, str(folder))
        except Exception as error:  # a file that is not there is onnx's own kind of error
            raise ValueError(f"its external data cannot be read: {error}") from error
        try:
            onnx.checker.check_model(model)
        except onnx.checker.ValidationError as error:
            raise ValueError(str(error)) from error
        _check_shapes(model)
    return model


def _check_shapes(model: Any) -> None:
    """Raises ValueError where a value of the graph is known to be larger than any that a network for images has.

    Sizes that stand in the graph are followed through it (shape inference with values); what depends on the input counts as 1.
    """
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except (
        onnx.shape_inference.InferenceError,
        ValueError,
        RuntimeError,
    ):  # also for what has no shape, and over 2 GiB
        return
    for value in (*graph.input, *graph.value_info, *graph.output):
        sides = [max(axis.dim_value, 1) for axis in value.type.tensor_type.shape.dim]
        if math.prod(sides) > LARGEST_VALUE:
            raise ValueError(f"{value.name!r} would have the shape {sides}, more than {LARGEST_VALUE:,} numbers")


def _inside(folder: Path, location: str) -> bool:
    target = (folder / location).resolve()
    return not Path(location).is_absolute() and target.is_relative_to(folder)


def parts_of(model: Any) -> Iterator[Any]:
    """The graph, the functions of the model, and the graphs in their nodes: whatever has nodes."""
    waiting = [model.graph, *model.functions]
    while waiting:
        part = waiting.pop()
        yield part
        for node in part.node:
            for attribute in node.attribute:
                waiting += [attribute.g, *attribute.graphs] if attribute.HasField("g") or attribute.graphs else []


def _sparse(model: Any) -> Iterator[Any]:
    """Values and indices of the sparse tensors of a model."""
    for part in parts_of(model):
        sparse_tensors = [] if not hasattr(part, "sparse_initializer") else list(part.sparse_initializer)
        for node in part.node:
            for attribute in node.attribute:
                sparse_tensors += [attribute.sparse_tensor, *attribute.sparse_tensors]
        for sparse in sparse_tensors:
            yield from (sparse.values, sparse.indices)


def tensors_of(model: Any) -> Iterator[Any]:
    """Every tensor of a model, dense and sparse."""
    yield from _sparse(model)
    for part in parts_of(model):
        yield from [] if not hasattr(part, "initializer") else part.initializer
        for node in part.node:
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors)


def _check_external(tensor: Any, path: Path, itemsize: int, code: str) -> None:
    """Raises ValueError where the data of `tensor` are not as long as its shape says, or longer than their file, and UserError
    `code` where that file is not there.
    """
    entries = {entry.key: entry.value for entry in tensor.external_data}
    file = path.resolve().parent / entries.get("location", "")
    if not file.is_file():
        beside = (
            f"put {file.name!r} beside the model: it was written with it, and keeps its name when the model is renamed"
        )
        problem = f"the weights of {tensor.name!r} should lie in {file.name!r}, which is not there"
        raises = outside_error if code == "VLM002" else user_error
        raise raises(code, problem, beside, SourceLocation(str(path)))
    there = file.stat().st_size - int(entries.get("offset", 0))
    declared = int(entries.get("length", there))
    if not 0 <= declared <= there or math.prod(tensor.dims) * itemsize > there:
        raise ValueError(f"the weights of {tensor.name!r} are said to be longer than {file.name!r} is")


def readings_of_input(value: Any) -> Readings:
    """The forms that a graph may take images in, by its input: `[image, channel, y, x]` or `[image, y, x, channel]`."""
    kind = (
        np.dtype(TYPES[value.type]).name if value.type in TYPES else str(value.type).removeprefix("tensor(").rstrip(")")
    )
    return readings_of(list(value.shape), kind, f"its input {value.name!r} is {list(value.shape)} {kind}")


def _with_rows(output: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    """What a graph gives for `rows` images; one that squeezes its output loses the axis of a batch of one."""
    return output[None] if rows == 1 and output.shape[:1] != (1,) else output


class Session:
    """A model in ONNX Runtime. Batches of any length go in, also where the graph wants a fixed one."""

    def __init__(self, model: Any, *, device: str, place: Path, code: str) -> None:
        """Raises UserError MODEL004 for a device that ONNX Runtime does not have, the error `code` for a broken graph."""
        onnxruntime = onnx_runtime()

        kind, _, number = device.partition(":")
        there = onnxruntime.get_available_providers()
        if PROVIDERS.get(kind) not in there:
            known = [name for name, provider in PROVIDERS.items() if provider in there]
            problem = f"the device {device!r} is not available to ONNX Runtime {onnxruntime.__version__}"
            raise user_error("MODEL004", problem, f"available: {', '.join(known)}; cuda needs onnxruntime-gpu")
        provider = PROVIDERS[kind]
        options = [(provider, {"device_id": number})] if number else [provider]
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 4
        errors = onnxruntime.capi.onnxruntime_pybind11_state
        try:
            self._session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=options)
        except (errors.Fail, errors.InvalidGraph, errors.InvalidArgument, errors.NotImplemented, ValueError) as error:
            with opening(place, "ONNX Runtime", OTHER_TYPE if isinstance(error, errors.NotImplemented) else FIX, code):
                raise ValueError(str(error)) from error
        self.inputs = self._session.get_inputs()
        self.outputs = [output.name for output in self._session.get_outputs()]

    def run(self, arrays: dict[str, NDArray[Any]], names: Sequence[str]) -> list[NDArray[np.float32]]:
        """The named outputs, float32, of arrays whose first axis is the batch."""
        types = {declared.name: TYPES.get(declared.type, np.float32) for declared in self.inputs}
        rows = len(next(iter(arrays.values())))
        fixed = (
            next(
                (
                    declared.shape[0]
                    for declared in self.inputs
                    if declared.shape and isinstance(declared.shape[0], int)
                ),
                rows,
            )
            or 1
        )
        parts = []
        for start in range(0, rows, fixed):
            piece = {name: array[start : start + fixed].astype(types[name]) for name, array in arrays.items()}
            missing = fixed - len(next(iter(piece.values())))
            padded = {k: np.concatenate([v, np.repeat(v[-1:], missing, axis=0)]) for k, v in piece.items()}
            outputs = self._session.run(list(names), padded)
            parts.append(
                [_with_rows(np.asarray(output, dtype=np.float32), fixed)[: fixed - missing] for output in outputs]
            )
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

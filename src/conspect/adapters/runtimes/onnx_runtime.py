"""Reading ONNX files that may come from anywhere, and running them with ONNX Runtime. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.runtimes.input_form import InputForm
from conspect.adapters.runtimes.onnx_door import onnx_runtime
from conspect.adapters.runtimes.torch_runtime import need
from conspect.adapters.sources.hub import opening
from conspect.core.diagnostics import SourceLocation, user_error

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
}
# Several values of these types (4 bits and fewer) share a byte.
PACKED = {21, 22, 23}
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
            raise ValueError(f"not an ONNX file: {error}") from error
        for tensor in _sparse(model.graph):
            if tensor.external_data:
                raise ValueError("a sparse tensor has external data, which are not looked for in the model's folder")
        for tensor in _tensors(model.graph):
            for entry in tensor.external_data:
                if entry.key == "location" and not _inside(folder, entry.value):
                    problem = (
                        f"the weights of {tensor.name!r} are said to lie at {entry.value!r}, outside the model's folder"
                    )
                    fix = "put the data beside the model; files elsewhere are never read"
                    raise user_error("MODEL005", problem, fix, SourceLocation(str(path)))
        for tensor in _tensors(model.graph):
            if tensor.external_data:
                kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
                _check_external(tensor, folder, np.dtype(kind).itemsize if tensor.data_type not in PACKED else 0)
        try:
            onnx.load_external_data_for_model(model, str(folder))
        except Exception as error:  # a file that is not there is onnx's own kind of error
            raise ValueError(f"its external data cannot be read: {error}") from error
        try:
            onnx.checker.check_model(model)
        except onnx.checker.ValidationError as error:
            raise ValueError(str(error)) from error
    return model


def _inside(folder: Path, location: str) -> bool:
    target = (folder / location).resolve()
    return not Path(location).is_absolute() and target.is_relative_to(folder)


def _sparse(graph: Any) -> Iterator[Any]:
    """Values and indices of the sparse tensors of a graph and of the graphs in it."""
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for inner in (attribute.g, *attribute.graphs):
                yield from _sparse(inner)


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _check_external(tensor: Any, folder: Path, itemsize: int) -> None:
    """Raises ValueError where the data of `tensor` are not as long as its shape says, or longer than their file."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    file = folder / entries.get("location", "")
    if not file.is_file():
        raise ValueError(f"the weights of {tensor.name!r} should lie in {file.name!r}, which is not there")
    there = file.stat().st_size - int(entries.get("offset", 0))
    declared = int(entries.get("length", there))
    if not 0 <= declared <= there or math.prod(tensor.dims) * itemsize > there:
        raise ValueError(f"the weights of {tensor.name!r} are said to be longer than {file.name!r} is")


def form_of_input(value: Any) -> InputForm:
    """In which form a graph takes images `[image, channel, y, x]` or `[image, y, x, channel]`."""
    shape, kind = list(value.shape), np.dtype(TYPES.get(value.type, np.float32)).name
    if len(shape) != 4:
        return InputForm(f"its input {value.name!r} is {shape} {kind}", type=kind)
    last = shape[3] in (1, 3) and shape[1] not in (1, 3)
    grey = shape[3 if last else 1] == 1
    return InputForm(f"its input {value.name!r} is {shape} {kind}", grey=grey, channels_last=last, type=kind)


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
            with opening(place, "ONNX Runtime", FIX, code):
                raise ValueError(str(error)) from error
        self.inputs = self._session.get_inputs()
        self.outputs = [output.name for output in self._session.get_outputs()]

    def run(self, arrays: dict[str, NDArray[Any]], names: Sequence[str]) -> list[NDArray[np.float32]]:
        """The named outputs, float32, of arrays whose first axis is the batch."""
        types = {one.name: TYPES.get(one.type, np.float32) for one in self.inputs}
        rows = len(next(iter(arrays.values())))
        fixed = next((one.shape[0] for one in self.inputs if one.shape and isinstance(one.shape[0], int)), rows) or 1
        parts = []
        for start in range(0, rows, fixed):
            piece = {name: array[start : start + fixed].astype(types[name]) for name, array in arrays.items()}
            missing = fixed - len(next(iter(piece.values())))
            padded = {k: np.concatenate([v, np.repeat(v[-1:], missing, axis=0)]) for k, v in piece.items()}
            found = self._session.run(list(names), padded)
            parts.append([np.asarray(one, dtype=np.float32)[: fixed - missing] for one in found])
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

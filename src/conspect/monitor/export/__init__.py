"""A monitor as an ONNX graph, alone or behind a model's. Needs the package onnx."""

from conspect.monitor.export.graph import attached, monitor_graph, signature, with_embedding, write

__all__ = ["attached", "monitor_graph", "signature", "with_embedding", "write"]

"""Where foreign networks run: torch and ONNX Runtime, and how their weights are read."""

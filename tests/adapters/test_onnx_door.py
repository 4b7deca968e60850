"""ONNX Runtime is imported in one place, where its telemetry is turned off first."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")
SOURCE = Path(__file__).parents[2] / "src" / "conspect"


def test_only_the_door_imports_it() -> None:
    importing = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == "onnxruntime" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "onnxruntime")
    }
    assert importing == {"adapters/runtimes/onnx_door.py"}


def test_a_session_leaves_nothing_in_the_users_folders_and_looks_nothing_up(tmp_path: Path) -> None:
    if subprocess.run(["strace", "-V"], capture_output=True, check=False).returncode:
        pytest.skip("needs strace")
    code = "from conspect.adapters.runtimes.onnx_door import onnx_runtime as o\nimport onnx\nfrom onnx import helper as h\n"
    code += "v = h.make_tensor_value_info('x', 1, [1]); w = h.make_tensor_value_info('y', 1, [1])\n"
    code += "m = h.make_model(h.make_graph([h.make_node('Identity', ['x'], ['y'])], 'g', [v], [w]), ir_version=8, "
    code += "opset_imports=[h.make_opsetid('', 17)])\n"
    code += "s = o().InferenceSession(m.SerializeToString(), providers=['CPUExecutionProvider'])\nimport time; time.sleep(1)\n"
    homes = {
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    log = tmp_path / "calls"
    subprocess.run(
        ["strace", "-f", "-e", "trace=connect,sendto", "-o", str(log), sys.executable, "-c", code],
        env={**os.environ, **homes}, check=True, timeout=120,
    )  # fmt: skip
    assert [line for line in log.read_text().splitlines() if "AF_INET" in line or ":53" in line] == []
    assert [path for path in tmp_path.rglob("*") if path != log] == []

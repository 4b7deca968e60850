"""torchvision beside a torch that its compiled operators were not built for: declared here, in the tests' set-up, never in
the product. No classifier calls them.
"""

import importlib
import sys
from importlib.util import find_spec

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
KEPT: list[object] = []


def declare() -> None:
    """Makes torchvision importable where it is installed without its operators."""
    if find_spec("torchvision") is None or find_spec("torch") is None:
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        import torch

        library = torch.library.Library("torchvision", "DEF")
        library.define(f"nms{SCHEMA}")
        library.define(f"qnms{SCHEMA}")
        KEPT.append(library)
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        importlib.import_module("torchvision")

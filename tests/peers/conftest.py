"""Packages of others that the product must not need, in an environment of their own: `make test-peers`."""

import sys
from importlib.util import find_spec

# Holds the definitions below alive: torch takes them back with the object.
OPERATORS: list[object] = []


def import_torchvision() -> None:
    """Imports torchvision; where its compiled operators do not fit the installed torch, their schemas stand in for them.

    torchvision's import fails there at operators for detection boxes that nobody calls here.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        from torch.library import Library

        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = Library("torchvision", "FRAGMENT")
        OPERATORS.append(library)
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision  # noqa: F401


if find_spec("pytorch_ood") is not None:
    import_torchvision()

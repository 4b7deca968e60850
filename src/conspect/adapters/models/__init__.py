"""Vision models by name or from local files. One module per foreign library, imported only when used."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from conspect.core.diagnostics import user_error
from conspect.core.protocols import VisionModel

NAMES = ("demo-resnet",)


def load_model(name: str | None, path: Path | None) -> VisionModel:
    """The model called `name`, or the one in the file `path` (exactly one is given).

    Raises UserError MODEL002 for an unknown name or file, OutsideError MODEL001 for a missing package.
    """
    if path is not None and path.suffix != ".safetensors":
        raise user_error(
            "MODEL002",
            f"{path.name} is not a model file that can be read",
            "give a .safetensors file of training/train_vision_model.py",
        )
    if path is None and name not in NAMES:
        raise user_error(
            "MODEL002", f"there is no model called {name!r}", f"use one of: {', '.join(NAMES)}; or a file, with `path`"
        )
    from conspect.adapters.models.small_resnet import SmallResNetModel

    if path is not None:
        return SmallResNetModel(path, name=path.stem)
    with resources.as_file(resources.files("conspect.assets") / "vision_model.safetensors") as shipped:
        return SmallResNetModel(shipped, name="demo-resnet")

"""Vision models by name or from local files. One module per foreign library, imported only when used."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib import import_module, resources
from pathlib import Path
from typing import Any, Literal

from conspect.adapters import kinds
from conspect.adapters.kinds import Keys, Precision
from conspect.core.diagnostics import user_error
from conspect.core.protocols import VisionModel

ModelKind = Literal["conspect", "module", "onnx", "timm", "torch-export", "torchvision", "transformers"]
NAMES = ("demo-resnet",)
EITHER, READ, RUN = ("name", "path"), ("classes", "preprocessing", "known"), ("device", "precision")
KINDS: dict[str, Keys] = {
    "conspect": Keys(one_of=EITHER, takes=("known",)),
    "module": Keys(needs=("name", "classes", "preprocessing"), takes=("path", "head", "known", *RUN)),
    "onnx": Keys(needs=("path",), takes=("head", *READ, "device")),
    "timm": Keys(any_of=EITHER, takes=("head", *READ, *RUN)),
    "torch-export": Keys(needs=("path",), takes=(*READ, *RUN)),
    "torchvision": Keys(needs=("name",), takes=("path", "weights", "head", *READ, *RUN)),
    "transformers": Keys(one_of=EITHER, takes=("head", *READ, *RUN)),
}
MODULES = {kind: kind.replace("-", "_") for kind in KINDS} | {"module": "own_module"}


@dataclass(frozen=True)
class ModelSource:
    """The model under study: `name` at a library or hub, `path` of a local file or folder. None: the model's own."""

    name: str | None = None
    path: str | None = None
    kind: ModelKind = "conspect"
    weights: str | None = None
    head: str | None = None
    classes: tuple[str, ...] | str | None = None
    preprocessing: str | None = None
    known: str | None = None
    device: str = "cpu"
    precision: Precision = "fp32"

    def misfits(self) -> list[tuple[str, str]]:
        """Problems and fixes of keys that the kind lacks or does not use."""
        return kinds.misfits("model", self, KINDS)

    def files(self) -> tuple[str, ...]:
        """The files and folders it names."""
        named = (self.path, self.preprocessing, self.known, self.classes if isinstance(self.classes, str) else None)
        return tuple(name for name in named if name is not None)

    def options(self, folder: Path) -> dict[str, Any]:
        """What `load_model` takes, paths relative to `folder`."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        options = {key: value for key, value in given.items() if value not in (None, ModelSource.__dict__.get(key))}
        for key in ("path", "preprocessing", "known", "classes"):
            if isinstance(options.get(key), str):
                options[key] = folder / options[key]
        return {"name": None, "path": None} | options


def load_model(name: str | None, path: Path | None, *, kind: ModelKind = "conspect", **options: Any) -> VisionModel:
    """The model that `name`, `path` and the options of `request.ModelRequest` describe.

    Raises UserError MODEL002 for what is unknown or cannot be read, MODEL003 without a head that replays the model,
    MODEL004 for a device or precision that is not there, MODEL005 for a file whose reading could run code, MODEL007 when a
    known output does not come out again; OutsideError MODEL001 for a missing package, MODEL006 for what cannot be fetched.
    """
    if kind == "conspect":
        model: VisionModel = _own(name, path)
    else:
        from conspect.adapters.models.request import ModelRequest

        model = import_module(f"conspect.adapters.models.{MODULES[kind]}").load(ModelRequest(name, path, **options))
    if options.get("known") is not None:
        from conspect.adapters.known_outputs import confirm_known_output

        confirm_known_output(model, options["known"], options.get("precision", "fp32"))
    return model


def _own(name: str | None, path: Path | None) -> VisionModel:
    if path is not None and path.suffix != ".safetensors":
        raise user_error(
            "MODEL002",
            f"{path.name} is not a model file that can be read",
            "give a .safetensors file of training/train_vision_model.py, or say what it is with `kind`",
        )
    if path is None and name not in NAMES:
        fix = f"use one of: {', '.join(NAMES)}; or a library's name with `kind`; or a file, with `path`"
        raise user_error("MODEL002", f"there is no model called {name!r}", fix)
    from conspect.adapters.models.small_resnet import SmallResNetModel

    if path is not None:
        return SmallResNetModel(path, name=path.stem)
    with resources.as_file(resources.files("conspect.assets") / "vision_model.safetensors") as shipped:
        return SmallResNetModel(shipped, name="demo-resnet")

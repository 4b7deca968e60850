"""Vision models by name or from local files. One module per foreign library, imported only when used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module, resources
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Unpack

from conspect.adapters.sources.kinds import Keys
from conspect.adapters.sources.source import SourceKeys
from conspect.core.diagnostics import user_error
from conspect.core.protocols import VisionModel

if TYPE_CHECKING:  # a request reads preprocessing, and loads NumPy
    from conspect.adapters.sources.request import Request, RequestOptions

ModelKind = Literal["conspect", "module", "onnx", "timm", "torch-export", "torchvision", "transformers"]
NAMES = ("demo-resnet",)
EITHER, RUN = ("name", "path"), ("device", "precision")
READ = ("title", "classes", "preprocessing", "known", "reported_accuracy")
KINDS: dict[str, Keys] = {
    "conspect": Keys(one_of=EITHER, takes=("title", "known", "reported_accuracy")),
    "module": Keys(
        needs=("name", "classes", "preprocessing"),
        takes=("title", "path", "head", "output", "known", "reported_accuracy", *RUN),
    ),
    "onnx": Keys(needs=("path",), takes=("head", "output", *READ, "device")),
    "timm": Keys(any_of=EITHER, takes=("head", "output", *READ, *RUN)),
    "torch-export": Keys(needs=("path",), takes=("head", "output", *READ, *RUN)),
    "torchvision": Keys(needs=("name",), takes=("path", "weights", "head", "output", *READ, *RUN)),
    "transformers": Keys(one_of=EITHER, takes=("head", "output", *READ, *RUN)),
}
MODULES = {kind: kind.replace("-", "_") for kind in KINDS} | {"module": "own_module"}


@dataclass(frozen=True)
class ModelSource(SourceKeys):
    """The model under study. None: the model's own."""

    SECTION: ClassVar[str] = "model"
    KINDS: ClassVar[Mapping[str, Keys]] = KINDS

    kind: ModelKind = "conspect"
    head: str | None = None
    output: str | None = None
    classes: tuple[str, ...] | str | None = None

    def request(self, folder: Path) -> Request:
        """With what only a vision model has: its head, its output and the names of its classes."""
        classes = folder / self.classes if isinstance(self.classes, str) else self.classes
        return replace(super().request(folder), head=self.head, output=self.output, classes=classes)


def load_model(
    name: str | None, path: Path | None, *, kind: ModelKind = "conspect", **options: Unpack[RequestOptions]
) -> VisionModel:
    """`model_of` the request that `name`, `path`, `kind` and options make."""
    from conspect.adapters.sources.request import Request

    return model_of(Request(name, path, kind, **options))


def model_of(request: Request) -> VisionModel:
    """The vision model that is asked for.

    Raises UserError MODEL002 for what is unknown or cannot be read, MODEL003 without a head that replays the model,
    MODEL004 for a device or precision that is not there, MODEL005 for a file whose reading could run code, MODEL007 when a
    known output does not come out again; OutsideError MODEL001 for a missing package, MODEL006 for what cannot be fetched.
    """
    if request.kind == "conspect":
        model: VisionModel = _own(request.name, request.path, request.title)
    else:
        request.check_files()
        model = import_module(f"conspect.adapters.models.{MODULES[request.kind]}").load(request)
    if request.known is not None:
        from conspect.adapters.sources.known_outputs import confirm_known_output

        confirm_known_output(model, request.known, request.precision)
    return model


def _own(name: str | None, path: Path | None, title: str | None) -> VisionModel:
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
        return SmallResNetModel(path, name=title or path.stem)
    with resources.as_file(resources.files("conspect.assets") / "vision_model.safetensors") as shipped:
        return SmallResNetModel(shipped, name=title or "demo-resnet")

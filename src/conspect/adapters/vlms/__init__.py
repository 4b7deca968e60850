"""Vision-language models by name or from local files. One module per foreign library, imported only when used."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from conspect.adapters import kinds
from conspect.adapters.kinds import Keys, Precision
from conspect.core.diagnostics import user_error
from conspect.core.protocols import VisionLanguageModel

VlmKind = Literal["onnx", "open-clip", "pocket", "transformers"]
NAMES = ("pocket",)
EITHER, RUN = ("name", "path"), ("device", "precision")
KINDS: dict[str, Keys] = {
    "onnx": Keys(needs=("path",), takes=("preprocessing", "known", "device")),
    "open-clip": Keys(any_of=EITHER, takes=("weights", "preprocessing", "known", *RUN)),
    "pocket": Keys(takes=("name", "known")),
    "transformers": Keys(one_of=EITHER, takes=("preprocessing", "known", *RUN)),
}


@dataclass(frozen=True)
class VlmSource:
    """The VLM: `name` at a library or hub, `path` of a local file or folder. None: the VLM's own."""

    name: str | None = None
    path: str | None = None
    kind: VlmKind = "pocket"
    weights: str | None = None
    preprocessing: str | None = None
    known: str | None = None
    device: str = "cpu"
    precision: Precision = "fp32"

    def misfits(self) -> list[tuple[str, str]]:
        """Problems and fixes of keys that the kind lacks or does not use."""
        return kinds.misfits("vlm", self, KINDS)

    def files(self) -> tuple[str, ...]:
        """The files and folders it names."""
        return tuple(name for name in (self.path, self.preprocessing, self.known) if name is not None)

    def options(self, folder: Path) -> dict[str, Any]:
        """What `load_vlm` takes beside the cache, paths relative to `folder`."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        options = {key: value for key, value in given.items() if value not in (None, VlmSource.__dict__.get(key))}
        for key in ("path", "preprocessing", "known"):
            if key in options:
                options[key] = folder / options[key]
        return {"name": None} | options


def load_vlm(
    name: str | None, *, cache: Path, path: Path | None = None, kind: VlmKind = "pocket", **options: Any
) -> VisionLanguageModel:
    """The VLM that `name`, `path` and the options of `request.VlmRequest` describe; None is the pocket VLM.

    Raises UserError MODEL002 for what is unknown or cannot be read, MODEL004 for a device or precision that is not there,
    MODEL005 for a file whose reading could read others, MODEL007 when a known output does not come out again; OutsideError
    VLM001 for a missing package, VLM002 for weights that do not load, MODEL006 for what cannot be fetched.
    """
    if kind == "pocket":
        if name not in (None, *NAMES):
            fix = f"use one of: {', '.join(NAMES)}; or a library's name with `kind`"
            raise user_error("MODEL002", f"there is no VLM called {name!r}", fix)
        from conspect.adapters.vlms.pocket.pocket import PocketVlm

        vlm: VisionLanguageModel = PocketVlm(cache=cache)
    else:
        from conspect.adapters.vlms.request import VlmRequest

        module = import_module(f"conspect.adapters.vlms.{kind.replace('-', '_')}")
        vlm = module.load(VlmRequest(name, path, **options))
    if options.get("known") is not None:
        from conspect.adapters.known_outputs import confirm_known_output

        confirm_known_output(vlm, options["known"], options.get("precision", "fp32"))
    return vlm

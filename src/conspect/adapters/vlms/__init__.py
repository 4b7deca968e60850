"""Vision-language models by name or from local files. One module per foreign library, imported only when used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Unpack

from conspect.adapters.sources.kinds import Keys
from conspect.adapters.sources.source import SourceKeys
from conspect.core.diagnostics import user_error
from conspect.core.protocols import VisionLanguageModel

if TYPE_CHECKING:  # a request reads preprocessing, and loads NumPy
    from conspect.adapters.sources.request import Request, RequestOptions

VlmKind = Literal["onnx", "open-clip", "pocket", "transformers"]
NAMES = ("pocket",)
EITHER, RUN = ("name", "path"), ("device", "precision", "title")
KINDS: dict[str, Keys] = {
    "onnx": Keys(needs=("path",), takes=("title", "preprocessing", "known", "device")),
    "open-clip": Keys(any_of=EITHER, takes=("weights", "preprocessing", "known", *RUN)),
    "pocket": Keys(takes=("name", "known")),
    "transformers": Keys(one_of=EITHER, takes=("preprocessing", "known", *RUN)),
}


@dataclass(frozen=True)
class VlmSource(SourceKeys):
    """The VLM. None: the VLM's own."""

    SECTION: ClassVar[str] = "vlm"
    KINDS: ClassVar[Mapping[str, Keys]] = KINDS

    kind: VlmKind = "pocket"


def load_vlm(
    name: str | None,
    *,
    cache: Path,
    path: Path | None = None,
    kind: VlmKind = "pocket",
    **options: Unpack[RequestOptions],
) -> VisionLanguageModel:
    """`vlm_of` the request that `name`, `path`, `kind` and options make; None is the pocket VLM."""
    from conspect.adapters.sources.request import Request

    return vlm_of(Request(name, path, kind, **options), cache=cache)


def vlm_of(request: Request, *, cache: Path) -> VisionLanguageModel:
    """The VLM that is asked for; `cache`: where embeddings of texts that the pocket VLM made are kept.

    Raises UserError MODEL002 for what is unknown or cannot be read, MODEL004 for a device or precision that is not there,
    MODEL005 for a file whose reading could read others, MODEL007 when a known output does not come out again; OutsideError
    VLM001 for a missing package, VLM002 for weights that do not load, MODEL006 for what cannot be fetched.
    """
    if request.kind == "pocket":
        if request.name not in (None, *NAMES):
            fix = f"use one of: {', '.join(NAMES)}; or a library's name with `kind`"
            raise user_error("MODEL002", f"there is no VLM called {request.name!r}", fix)
        from conspect.adapters.vlms.pocket.pocket import PocketVlm

        vlm: VisionLanguageModel = PocketVlm(cache=cache)
    else:
        vlm = import_module(f"conspect.adapters.vlms.{request.kind.replace('-', '_')}").load(request)
    if request.known is not None:
        from conspect.adapters.sources.known_outputs import confirm_known_output

        confirm_known_output(vlm, request.known, request.precision)
    return vlm

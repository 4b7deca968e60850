"""Image classifiers of transformers (ViT, ResNet, ConvNeXt, DINOv2, Swin, ...), from a local folder or a hub name."""

from __future__ import annotations

from typing import Any

from conspect.adapters.models.torch_module import TorchModel, torch_model
from conspect.adapters.preprocessing.image_processors import load_processor, preparation_of, quiet
from conspect.adapters.runtimes.torch_runtime import need
from conspect.adapters.runtimes.weights import complain
from conspect.adapters.sources.classes import from_id2label
from conspect.adapters.sources.hub import fetching, opening
from conspect.adapters.sources.request import Request

FIX = "give a folder that save_pretrained wrote, with the model and its image processor"
# Buffers that older files carry and newer versions compute.
COMPUTED = ("position_ids", "num_batches_tracked", "relative_position_index")


def load(request: Request) -> TorchModel:
    """Raises UserError MODEL002 when the folder has no classifier or its weights do not load; OutsideError MODEL001, MODEL006."""
    need("torch, transformers", "MODEL001", "a transformers model", "transformers")
    import transformers

    quiet()
    local = request.path is not None
    source = str(request.path if local else request.name)
    with fetching(source) if not local else opening(source, "transformers", FIX, "MODEL002"):
        network, report = transformers.AutoModelForImageClassification.from_pretrained(
            source, local_files_only=local, output_loading_info=True, trust_remote_code=False
        )
        given = request.own_preprocessing()
        preparation = given or preparation_of(load_processor(source, local=local))
    check_report(source, report, "MODEL002")
    return torch_model(
        network.float(),
        preparation,
        request.class_names(lambda: from_id2label(network.config.id2label)),
        name=request.label,
        head=request.head,
        output=request.output,
        device=request.device,
        precision=request.precision,
        library=f"transformers {transformers.__version__} ({type(network).__name__})",
    )


def check_report(source: str, report: Any, code: str) -> None:
    """Raises the error `code` when weights are missing (they would be random), left over, or of another shape."""
    kinds = {kind: _names(report[f"{kind}_keys"]) for kind in ("missing", "unexpected", "mismatched")}
    complain(source, code, **kinds)


def _names(keys: Any) -> list[str]:
    names = (str(key[0] if isinstance(key, tuple | list) else key) for key in keys)
    return sorted(name for name in names if not name.endswith(COMPUTED))

"""Programs of `torch.export` (`.pt2`): read without running anything in them, cut before their last linear operation."""

from __future__ import annotations

from conspect.adapters import preprocessing
from conspect.adapters.models.torch_export_archive import safe_archive
from conspect.adapters.models.torch_heads import NOTHING
from conspect.adapters.models.torch_module import TorchModel, torch_model
from conspect.adapters.runtimes.torch_runtime import need, torch_runtime
from conspect.adapters.sources import classes
from conspect.adapters.sources.hub import opening
from conspect.adapters.sources.request import Request
from conspect.core.diagnostics import user_error
from conspect.core.digests import digest_file, digest_json


def load(request: Request) -> TorchModel:
    """`path` is the program; preprocessor_config.json and config.json beside it say what `preprocessing` and `classes` do not.

    Raises UserError MODEL002, MODEL003 (no head), MODEL004, MODEL005 (loading would run code); OutsideError MODEL001.
    """
    need("torch", "MODEL001", "a program of torch.export", "torch")
    import torch
    from torch.export.passes import move_to_device_pass

    from conspect.adapters.models.exported_program import Program

    if request.path is None:
        raise user_error("MODEL002", "a program of torch.export is a file", "give it with `path`")
    path = request.path
    runtime = torch_runtime(request.device, request.precision)
    archive = safe_archive(path)
    with opening(path, "torch.export", "export it anew with this version of torch", "MODEL002"):
        program = torch.export.load(archive)
        if runtime.device.type != "cpu":
            program = move_to_device_pass(program, runtime.device)
    steps = request.own_preprocessing() or preprocessing.read_preprocessing(path.parent / preprocessing.FILE)
    names = request.class_names(lambda: classes.read_classes(path.parent / classes.FILE))
    network = Program(program, request.label, classes=len(names), head=request.head, output=request.output)
    model = torch_model(
        network,
        steps,
        names,
        name=request.label,
        head=request.head if request.head in (None, NOTHING) else "head",
        device=request.device,
        precision=request.precision,
        library=f"torch.export {torch.__version__}",
    )
    model.digest = digest_json([model.digest, digest_file(path)])
    return model

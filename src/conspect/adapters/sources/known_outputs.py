"""A known output: an image and what the model gave for it elsewhere, computed again when the model is opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from conspect.core.diagnostics import SourceLocation, user_error
from conspect.core.statements import statement_of

TOLERANCES = {"fp32": 1e-3, "fp16": 1e-2, "bf16": 5e-2}
PARTS = ("logits", "embedding")


def confirm_known_output(model: Any, path: Path, precision: str) -> None:
    """Prepares, embeds and classifies the image in `path`, a safetensors file with `image [height, width, 3]` uint8 and
    `logits [class]` or `embedding [D]`, and adds to the model's statement that it gave the same.

    Raises UserError MODEL007 when it does not, relative to the largest value, or when the file is another one.
    """
    tolerance = TOLERANCES[precision]
    try:
        stored = load_file(path)
        image, part = stored["image"], next(part for part in PARTS if part in stored)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"image is {image.dtype} {image.shape}, not uint8 [height, width, 3]")
        wanted = np.asarray(stored[part], dtype=np.float64).ravel()
    except (SafetensorError, OSError, KeyError, ValueError, StopIteration) as error:
        fix = "write one with safetensors.numpy.save_file({'image': IMAGE, 'logits': LOGITS}, PATH)"
        raise user_error(
            "MODEL007", f"not a known output: {error or 'logits are missing'}", fix, SourceLocation(str(path))
        ) from error
    embedding = model.embed(np.stack([model.prepare(image)]))
    output = np.asarray(model.head.logits(embedding) if part == "logits" else embedding, dtype=np.float64).ravel()
    off = np.inf if output.shape != wanted.shape else np.abs(output - wanted).max() / max(np.abs(wanted).max(), 1e-12)
    if not off <= tolerance:
        problem = f"{model.name} does not give the known {part}: they are off by {off:.2g} of the largest"
        fix = "the preprocessing, the weights or the order of the classes is another one than where the file was made"
        raise user_error("MODEL007", problem, fix, SourceLocation(str(path)))
    statement = statement_of(model)
    sentence = f"the known {part} in {path.name} came out again, to {off:.1g} of the largest"
    model.statement = replace(statement, checked=(*statement.checked, sentence))

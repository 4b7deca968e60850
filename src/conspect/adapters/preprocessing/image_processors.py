"""Image processors of transformers, always in the version that needs Pillow and NumPy alone, so that values do not depend
on what else is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.preprocessing.configuration import from_config
from conspect.adapters.preprocessing.library import LibraryPreparation


def quiet() -> None:
    """Turns off what transformers prints: all that matters is checked, and raised."""
    import transformers

    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def load_processor(source: str | Path, *, local: bool) -> Any:
    """The image processor of a model folder or hub name. Raises OSError or ValueError as transformers does."""
    import transformers

    load: Any = transformers.AutoImageProcessor.from_pretrained
    return load(source, local_files_only=local, backend="pil")


def preparation_of(processor: Any) -> LibraryPreparation:
    """The processor as a function of one image."""

    def transform(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        features = processor(images=image, return_tensors="np", input_data_format="channels_last")
        return np.asarray(features["pixel_values"][0], dtype=np.float32)

    config = processor.to_dict()
    described = f"{type(processor).__name__}: {json.dumps(config, sort_keys=True, default=str)}"
    return LibraryPreparation.checked(transform, lambda: from_config(config), described)

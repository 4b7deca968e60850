"""What a body holds once it is read, and the two refusals that every form of it shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error

JSON, SAFETENSORS, MULTIPART = "application/json", "application/x-safetensors", "multipart/form-data"
FORMS = (
    f"{JSON} or {SAFETENSORS} with embeddings, {SAFETENSORS} with images, image/... with one image file, {MULTIPART} with "
    "one image file a part"
)
LONGEST_REASON = 300

# A file as it was sent, or pixels `[height, width, 3]` uint8.
Picture: TypeAlias = bytes | NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class InputShapes:
    """What the monitor takes: embeddings `[input, dimension]` and logits `[input, classes]`."""

    dimension: int
    classes: int

    def widths(self) -> dict[str, int]:
        """Numbers in a row, by the name of the array."""
        return {"embeddings": self.dimension, "logits": self.classes}

    def __str__(self) -> str:
        return f"embeddings [input, {self.dimension}], logits [input, {self.classes}]"


@dataclass(frozen=True, eq=False)
class Body:
    """Either `images`, or `embeddings [input, D]`, perhaps with `logits [input, class]`, finite float32."""

    images: tuple[Picture, ...] | None = None
    embeddings: NDArray[np.float32] | None = None
    logits: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.images) if self.images is not None else 0 if self.embeddings is None else len(self.embeddings)


def refuse(why: str) -> NoReturn:
    """Raises UserError WEB109."""
    raise user_error("WEB109", f"the body cannot be used: {why[:LONGEST_REASON]}", f"send {FORMS}")


def refuse_number(inputs: int) -> NoReturn:
    """Raises UserError WEB107: more than `inputs` in one request."""
    raise user_error("WEB107", f"more than {inputs} inputs in one request", "send them in several requests")


def require_finite(name: str, rows: NDArray[np.float32]) -> None:
    """Raises UserError WEB109 that names the first row with a number that is not finite."""
    finite = np.isfinite(rows).all(1)
    if not finite.all():
        refuse(f"{name}, row {int(finite.argmin())} (the first is 0), has a number that is not finite in float32")

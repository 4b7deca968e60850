"""In which form a network takes images: how many channels, where they are, and of which type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error

# How far outputs may lie from those of single precision, relative to the largest, by the type that the weights have.
TOLERANCES = {"float16": 1e-2, "bfloat16": 5e-2}
RANGES = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767)}
FED = {"float16", "bfloat16", "float32", "float64", "uint8", "int8", "uint16", "int16", "int32", "int64"}


@dataclass(frozen=True)
class InputForm:
    """What a network takes: `grey` one channel instead of three, `channels_last` `[image, y, x, channel]`, and `type`.

    `wanted`: one clause for messages, such as "its input is [n, 3, 28, 28] float32".
    """

    wanted: str
    grey: bool = False
    channels_last: bool = False
    type: str = "float32"

    @property
    def tolerance(self) -> float:
        """How far outputs may lie from single precision's, relative to the largest of them; 0 where nothing is to be said."""
        return TOLERANCES.get(self.type, 0.0)

    @property
    def takes_bytes(self) -> bool:
        """True when values are whole numbers, so that the network scales them itself."""
        return not self.type.startswith(("float", "bfloat"))

    def fed(self, batch: NDArray[np.float32], name: str) -> NDArray[np.generic]:
        """Prepared images `[image, channel, y, x]` float32 as the network takes them, but for a floating type.

        Raises UserError MODEL002 where whole numbers are wanted and the prepared values are none.
        """
        if self.type not in FED:
            problem = f"{name} takes images of {self.type}, of which no picture can be made; {self.wanted}"
            raise user_error("MODEL002", problem, "export it with an input of float32, float16 or uint8")
        ordered = batch.transpose(0, 2, 3, 1) if self.channels_last and batch.ndim == 4 else batch
        if not self.takes_bytes:
            return np.ascontiguousarray(ordered)
        whole = np.rint(ordered)
        low, high = RANGES.get(self.type, (-(2**24), 2**24))
        if not (np.abs(whole - ordered).max(initial=0.0) < 1e-3 and low <= whole.min() and whole.max() <= high):
            problem = (
                f"{name} takes images of {self.type}, and the preprocessing makes values such as {ordered.flat[0]:.3g}"
            )
            fix = 'leave the pixels as they are: "do_rescale": false and "do_normalize": false; the network scales them'
            raise user_error("MODEL002", problem, fix)
        return np.ascontiguousarray(whole.astype(self.type))

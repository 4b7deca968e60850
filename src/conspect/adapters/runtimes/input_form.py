"""In which form a network takes images: how many channels, where they are, and of which type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.foreign_code import DoesNotTake
from conspect.core.spaces import Floats

# How far outputs may lie from those of single precision, relative to the largest, by the type that the weights have.
TOLERANCES = {"float16": 1e-2, "bfloat16": 5e-2}
RANGES = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767)}
FED = {"float16", "bfloat16", "float32", "float64", "uint8", "int8", "uint16", "int16", "int32", "int64"}


@dataclass(frozen=True)
class InputForm:
    """What a network takes: `grey` one channel instead of three, `channels_last` `[image, y, x, channel]`, and `type`.

    `wanted`: one clause for messages, such as "its input is [n, 3, 28, 28] float32". `tried`: what was found out by trying, for
    the statement, where the network's input does not say it.
    """

    wanted: str
    grey: bool = False
    channels_last: bool = False
    type: str = "float32"
    tried: str = ""

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


# Forms that may be meant, those that are asked first before the rest; within one group none is more likely than another.
Readings: TypeAlias = Sequence[Sequence[InputForm]]


def readings_of(shape: Sequence[int | str | None], kind: str, wanted: str) -> Readings:
    """The forms that an input of this shape, in which free axes are no numbers, may have. A fixed axis of 1 or 3 channels says
    which it is; where it is free, colour is tried before grey, and both orders where both axes are free.
    """
    if len(shape) != 4:
        return ((InputForm(wanted, type=kind),),)
    first, last = (shape[axis] if isinstance(shape[axis], int) else None for axis in (1, 3))
    channels_first = InputForm(wanted, type=kind)
    orders = [channels_first, replace(channels_first, channels_last=True)]
    if first in (1, 3):
        return ((replace(orders[0], grey=first == 1),),)
    if last in (1, 3):
        return ((replace(orders[1], grey=last == 1),),)
    if first is not None and last is not None:
        return ((orders[0],),)
    possible = [form for form, channels in zip(orders, (first, last), strict=True) if channels is None]
    return possible, [replace(form, grey=True) for form in possible]


def taken_form(readings: Readings, run: Callable[[InputForm], Floats], name: str) -> InputForm:
    """The one form among several in which a network takes images; `run` gives its outputs `[image, ...]` for probes in a form.

    Raises UserError MODEL002 where it takes two of which none is more likely, with other outputs; and what `run` raises where
    it takes none.
    """
    if sum(map(len, readings)) == 1:
        return readings[0][0]
    refusals: list[DoesNotTake] = []
    for group in readings:
        taken: list[tuple[InputForm, Floats]] = []
        for form in group:
            try:
                taken.append((form, np.asarray(run(form))))
            except DoesNotTake as error:
                refusals.append(error)
        if any(not _same(outputs, taken[0][1]) for _, outputs in taken[1:]):
            problem = (
                f"{name} takes images as {' and as '.join(_axes(form) for form, _ in taken)}, with other outputs for each; "
                f"{taken[0][0].wanted}, which does not say where the channels are"
            )
            fix = "export it with a fixed axis of channels (3, or 1 for grey), where they are; others may stay free"
            raise user_error("MODEL002", problem, fix)
        if taken:
            form = taken[0][0]
            by_trying = (
                f"it takes images as {_axes(form)}, which was found out by trying: {len(refusals)} other forms failed"
            )
            return replace(form, tried=by_trying if refusals else "")
    raise refusals[0]


def _axes(form: InputForm) -> str:
    channels = 1 if form.grey else 3
    return f"[image, y, x, {channels}]" if form.channels_last else f"[image, {channels}, y, x]"


def _same(first: Floats, second: Floats) -> bool:
    return first.shape == second.shape and bool(np.allclose(first, second, rtol=1e-4, atol=1e-6))

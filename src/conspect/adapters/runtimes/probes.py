"""A network on probe images before it sees any data: does it take what it is given, is it a function of one image, which one.

What goes wrong in foreign code is told by `foreign_code.calling`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.preprocessing.known_images import known_images
from conspect.core.diagnostics import user_error
from conspect.core.foreign_code import calling
from conspect.core.spaces import Floats

# A sketch tells embeddings apart that differ by a thousandth of their size, and keeps to one text where the order of
# additions differs (1e-6, another number of threads or another processor) in 997 of 1,000 cases.
DIRECTIONS, QUANTUM = 8, 1e-2
# Computed alone or together, additions have another order; so much of the largest value may come of it in single precision.
ROUNDING = 1e-3

# What tells tokenizers apart: accents, capitals, numbers, signs, other scripts, length.
SENTENCES = (
    "A photo of a naïve cat, 2 wheels", "TRUCK", "truck", "  two  spaces ", "eins-zwei_drei/4.50 €", "猫と犬", "a " * 100,
)  # fmt: skip


def prepared_probes(prepare: Callable[[NDArray[np.uint8]], NDArray[np.float32]], name: str) -> NDArray[np.float32]:
    """The known images as the network is given them, stacked `[image, ...]` float32.

    Raises UserError MODEL002 when the preprocessing fails, or gives images of different sizes different shapes.
    """
    with calling(name, "the preprocessing", "images [y, x, 3] uint8 of four sizes"):
        prepared = [np.asarray(prepare(image)) for image in known_images()]
    shapes = sorted({image.shape for image in prepared})
    if len(shapes) > 1:
        listed = " and ".join(str(list(shape)) for shape in shapes[:2])
        problem = f"{name}: the preprocessing has no fixed size: images of different sizes come out as {listed}"
        fix = 'ask for one: "size" with height and width, or "do_center_crop" with "crop_size"'
        raise user_error("MODEL002", problem, fix)
    return np.stack(prepared)


def confirm_function(
    embed: Callable[[NDArray[np.float32]], Floats], batch: NDArray[np.float32], *, name: str, tolerance: float = 0.0
) -> Floats:
    """The embeddings `[image, D]` of probes, if each depends on its own image alone.

    They are computed together, together again, and alone. Raises UserError MODEL002 where these differ: dropout or noise
    that is left on, batch statistics instead of recorded ones, another memory of earlier images; and where they are not finite.
    """
    together, again = np.asarray(embed(batch)), np.asarray(embed(batch))
    if not np.isfinite(together).all():
        problem = (
            f"{name} gives values that are not finite, for {int((~np.isfinite(together)).any(1).sum())} of {len(batch)}"
        )
        fix = "look at its weights and its preprocessing: a number in them is NaN, infinite, or too large for its type"
        raise user_error("MODEL002", f"{problem} probe images", fix)
    alone = np.concatenate([np.asarray(embed(batch[row : row + 1])) for row in range(len(batch))])
    allowed = max(ROUNDING, tolerance) * max(float(np.abs(together).max(initial=0.0)), 1e-12)
    for other, problem, fix in (
        (
            again,
            "it gives the same images other values each time",
            "turn off dropout, noise and whatever else is random at inference, also where it is called as a function "
            "(functional.dropout(x, training=self.training))",
        ),
        (
            alone,
            "what it gives for an image depends on the other images of the batch",
            "use the recorded statistics of batch norms (evaluation mode, track_running_stats=True), and nothing else that "
            "mixes images (as dynamic quantization does, whose scale is the batch's)",
        ),
    ):
        if other.shape != together.shape or not np.abs(other - together).max(initial=0.0) <= allowed:
            raise user_error("MODEL002", f"{name} is not a function of one image: {problem}", fix)
    return together


def confirm_logits(outputs: Floats, name: str, *, pictures: bool = False) -> None:
    """Raises UserError MODEL002 for outputs `[input, class]` of many inputs that say which class is largest and not how large.

    One-hot rows, one column of whole numbers, rows that are a permutation of 0, 1, ..., and rows that are sorted in one direction
    for every input, which `pictures` alone do not show: they may have one order by chance.
    """
    if outputs.shape[1] == 1 and (outputs == np.rint(outputs)).all():
        shown = ", ".join(f"{value:g}" for value in np.unique(outputs)[:4])
        problem = (
            f"{name} gives no logits: it gives one whole number an image ({shown}), as argmax, a threshold or a sign do"
        )
        raise user_error("MODEL002", problem, "let the network return its logits, one a class (one for two classes)")
    if (np.ptp(outputs, axis=1) == 0).all():
        if outputs.shape[1] > 1 and np.ptp(outputs) > 0:
            problem = f"{name} gives no logits: it gives every class the same number, another for each image"
            raise user_error("MODEL002", problem, "let the network return its logits, one a class")
        return
    steps, ordered = np.diff(outputs, axis=1), np.sort(outputs, axis=1)
    places = np.arange(outputs.shape[1])
    why = None
    if (ordered[:, :-1] == 0).all() and (ordered[:, -1] == 1).all():
        why = "it gives 1 for one class and 0 for all others, such as argmax or Hardmax do"
    elif outputs.shape[1] > 2 and (ordered == places).all():
        why = "it gives the numbers 0, 1, ... in some order, such as argsort does"
    elif not pictures and (numbers := _class_numbers(outputs)) is not None:
        why = f"column {numbers} holds whole numbers alone, such as classes, beside columns that do not"
    elif not pictures and ((steps >= 0).all() or (steps <= 0).all()):
        why = "its values are sorted whatever goes in, so that the columns are not the classes"
    if why is not None:
        fix = "let the network return its logits, one a class"
        fix += "" if pictures else '; if these are its logits, say so: head = "none"'
        raise user_error("MODEL002", f"{name} gives no logits: {why}", fix)


def _class_numbers(outputs: Floats) -> int | None:
    """The first column that is whole for every input and not the same for all, where another is not whole."""
    whole = (outputs == np.rint(outputs)).all(axis=0)
    varied = whole & (np.ptp(outputs, axis=0) > 0)
    return int(varied.argmax()) if varied.any() and not whole.all() else None


def noise_like(probes: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Batches of noise of four sizes `[image, channel, y, x]`, of which some have another order of the classes than pictures."""
    draw = np.random.default_rng(0)
    for size in (1.0, 10.0, 100.0, 1000.0):
        noise = draw.standard_normal((16, *probes.shape[1:])) + draw.standard_normal((16, probes.shape[1], 1, 1))
        yield (size * noise).astype(np.float32)


def sketch(values: Floats) -> list[list[int]]:
    """A short text of arrays `[image, ...]`: projections on fixed random directions, in units of `QUANTUM` of their size."""
    rows = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    directions = np.random.default_rng(0).standard_normal((DIRECTIONS, rows.shape[1]))
    scale = float(np.sqrt((rows**2).mean())) * np.sqrt(rows.shape[1]) if rows.size else 0.0
    projected = rows @ directions.T / (scale if np.isfinite(scale) and scale > 0 else 1.0)
    steps: list[list[int]] = np.rint(np.nan_to_num(projected) / QUANTUM).astype(np.int64).tolist()
    return steps

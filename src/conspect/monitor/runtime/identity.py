"""Which model, and which lens, a monitor was fitted on: embeddings of another one mean nothing to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import UserError, user_error
from conspect.core.foreign_code import is_of_shapes, place_of, sentence_of

# Inputs as a network takes them, to embeddings [input, D] and logits [input, class].
Outputs: TypeAlias = Callable[[NDArray[np.float32]], tuple[NDArray[np.floating], NDArray[np.floating]]]
Made = TypeVar("Made")
PROBES, SEED = 2, 0
# Another device or precision moves an embedding by at most so much of the largest component, and a logit of the largest
# logit; another network by all.
TOLERANCE = 0.05


@dataclass(frozen=True, eq=False)
class Identity:
    """`model_digest`, `lens_digest`: SHA-256, hexadecimal. `probes`: what the model made of a few inputs of noise.

    `probe_shape`: of one input as the network takes it. `probe_embeddings [input, D]` and `probe_logits [input,
    class]` float32: by these a model is recognised that comes without a digest, such as a bare torch module. Monitors that were
    written before heads were compared have no logits.
    """

    model_name: str
    model_digest: str
    lens_digest: str
    probe_shape: tuple[int, ...]
    probe_embeddings: NDArray[np.float32]
    probe_logits: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, model: Any, prepared: NDArray[np.float32], lens_digest: str) -> Identity:
        """Of a `VisionModel`; `prepared`: any image as it takes it."""
        embeddings = np.asarray(_of_probes(model.embed, prepared.shape), dtype=np.float32)
        logits = np.asarray(model.head.logits(embeddings), dtype=np.float32)
        return cls(model.name, model.digest, lens_digest, tuple(prepared.shape), embeddings, logits)

    def require_model(self, name: str, digest: str) -> None:
        """Raises UserError MONITOR007 unless it is the model of this digest."""
        if digest != self.model_digest:
            raise self._another(f"{name} has the digest {digest[:12]}, and it was fitted on {self.model_digest[:12]}")

    def require_lens(self, digest: str) -> None:
        """Raises UserError MONITOR007 unless the lens has this digest."""
        if digest != self.lens_digest:
            problem = (
                f"the monitor reads concepts through another lens than the study's: fitted with {self.lens_digest[:12]}, and "
                f"the study's has the digest {digest[:12]}"
            )
            raise user_error("MONITOR007", problem, "fit it anew: conspect monitor fit --study DIR")

    def require_same_outputs(self, outputs: Outputs) -> None:
        """Raises UserError MONITOR007 unless `outputs` gives of the probes the embeddings and the logits that the model did."""
        if self.probe_logits is None:
            problem = (
                "the monitor was fitted before monitors kept the logits of their model, by which its head is recognised"
            )
            raise user_error("MONITOR007", problem, "fit it anew: conspect monitor fit --study DIR")
        try:
            embeddings, logits = _of_probes(outputs, self.probe_shape)
        except UserError:
            raise
        except Exception as error:  # whatever the model's library raises
            given = f"{[PROBES, *self.probe_shape]} float32, by which it would be recognised"
            fails = f"raises {sentence_of(error)}; it was given {given}"
            problem = f"does not take {given}: {sentence_of(error)}" if is_of_shapes(error) else fails
            fix = "say same_model=True if you know that it is the model that the monitor was fitted on"
            fix = fix if is_of_shapes(error) else f"mend the model's own code, which fails; {fix}"
            raise user_error("MONITOR007", f"the model {problem}", fix, place_of(error)) from error
        if not _same(np.asarray(embeddings, dtype=np.float32), self.probe_embeddings):
            raise self._another("this one makes other embeddings of the same input")
        if not _same(np.asarray(logits, dtype=np.float32), self.probe_logits):
            raise self._another(
                "this one makes other logits of the same embeddings (its head was changed, or its output is not the logits)"
            )

    def _another(self, why: str) -> UserError:
        problem = f"the monitor belongs to another model than this, {self.model_name!r}: {why}"
        return user_error("MONITOR007", problem, "use the model and lens that it was fitted on, or fit it anew")


def probes(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The inputs of noise, the same for every model with inputs of this shape."""
    return np.random.default_rng(SEED).standard_normal((PROBES, *shape)).astype(np.float32)


def whole_probes(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The inputs for a model that takes whole numbers alone, such as uint8."""
    return np.random.default_rng(SEED).integers(0, 256, (PROBES, *shape)).astype(np.float32)


def _same(actual: NDArray[np.float32], wanted: NDArray[np.float32]) -> bool:
    limit = TOLERANCE * max(float(np.abs(wanted).max(initial=0.0)), 1e-6)
    return actual.shape == wanted.shape and bool(np.abs(actual - wanted).max(initial=0.0) <= limit)


def _of_probes(model: Callable[[NDArray[np.float32]], Made], shape: tuple[int, ...]) -> Made:
    """What `model` makes of noise, or of whole numbers where it does not take noise."""
    try:
        return model(probes(shape))
    except UserError:
        return model(whole_probes(shape))

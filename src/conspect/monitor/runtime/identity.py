"""Which model, and which lens, a monitor was fitted on: embeddings of another one mean nothing to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import UserError, user_error

PROBES, SEED = 2, 0
# Another device or precision moves an embedding by at most so much of the largest component; another network by all.
TOLERANCE = 0.05


@dataclass(frozen=True, eq=False)
class Identity:
    """`model_digest`, `lens_digest`: SHA-256, hexadecimal. `probes`: what the model made of a few inputs of noise.

    `probe_shape`: of one input as the network takes it. `probe_embeddings [input, D]` float32: by these a model is
    recognised that comes without a digest, such as a bare torch module.
    """

    model_name: str
    model_digest: str
    lens_digest: str
    probe_shape: tuple[int, ...]
    probe_embeddings: NDArray[np.float32]

    @classmethod
    def of(cls, model: Any, prepared: NDArray[np.float32], lens_digest: str) -> Identity:
        """Of a `VisionModel`; `prepared`: any image as it takes it."""
        embeddings = np.asarray(_of_probes(model.embed, prepared.shape), dtype=np.float32)
        return cls(model.name, model.digest, lens_digest, tuple(prepared.shape), embeddings)

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

    def require_same_embeddings(self, embed: Callable[[NDArray[np.float32]], NDArray[np.floating]]) -> None:
        """Raises UserError MONITOR007 unless `embed` makes of the probes what the model did."""
        try:
            found = np.asarray(_of_probes(embed, self.probe_shape), dtype=np.float32)
        except UserError:
            raise
        except Exception as error:  # whatever the model's library raises
            problem = f"the model does not take {[PROBES, *self.probe_shape]} float32, by which it would be recognised: {error}"
            fix = "say same_model=True if you know that it is the model that the monitor was fitted on"
            raise user_error("MONITOR007", problem[:300], fix) from error
        wanted = self.probe_embeddings
        limit = TOLERANCE * max(float(np.abs(wanted).max(initial=0.0)), 1e-6)
        if found.shape != wanted.shape or not np.abs(found - wanted).max(initial=0.0) <= limit:
            raise self._another("this one makes other embeddings of the same input")

    def _another(self, why: str) -> UserError:
        problem = f"the monitor belongs to another model than this, {self.model_name!r}: {why}"
        return user_error("MONITOR007", problem, "use the model and lens that it was fitted on, or fit it anew")


def probes(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The inputs of noise, the same for every model with inputs of this shape."""
    return np.random.default_rng(SEED).standard_normal((PROBES, *shape)).astype(np.float32)


def whole_probes(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The inputs for a model that takes whole numbers alone, such as uint8."""
    return np.random.default_rng(SEED).integers(0, 256, (PROBES, *shape)).astype(np.float32)


def _of_probes(embed: Callable[[NDArray[np.float32]], NDArray[np.floating]], shape: tuple[int, ...]) -> NDArray[Any]:
    """What `embed` makes of noise, or of whole numbers where it does not take noise."""
    try:
        return np.asarray(embed(probes(shape)))
    except UserError:
        return np.asarray(embed(whole_probes(shape)))

"""The monitor's suspicion as a differentiable function, for attacks that know the monitor.

The formula comes in with the detector, because adapters do not enter the monitor's room; here are torch's operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Suspicion(Protocol):
    """How suspicious images look to a monitor, as a differentiable function."""

    @property
    def digest(self) -> str:
        """SHA-256 of what the function depends on beside the network."""

    def __call__(self, network: Any, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `[image, class]` and suspicion `[image]`, higher = suspect, of RGB in 0..1 `[image, 3, y, x]`.

        `network` maps images to (embeddings, logits), as `DifferentiableModel.differentiable()` does.
        """


class SuspicionFormula(Protocol):
    """A fitted detector, such as `conspect.monitor.runtime.Detector`."""

    @property
    def digest(self) -> str:
        """SHA-256 of its arrays."""

    def suspicion_with(self, arrays: Any, embeddings: Any, logits: Any) -> tuple[Any, Any]:
        """Suspicion and output class, computed with the operations of `arrays`."""


class FusedSuspicion:
    """The suspicion of a fitted detector, from one look of the network at each image."""

    def __init__(self, detector: SuspicionFormula) -> None:
        self._detector = detector
        self.digest = detector.digest

    def __call__(self, network: Any, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `[image, class]` and suspicion `[image]` in nats."""
        embeddings, logits = network(images)
        return logits, self.of_outputs(embeddings, logits)

    def of_outputs(self, embeddings: Tensor, logits: Tensor) -> Tensor:
        """Suspicion `[image]` in nats of `embeddings [image, D]` and `logits [image, class]`."""
        from conspect.adapters.attacks.torch_arrays import TorchArrays

        suspicion, _ = self._detector.suspicion_with(TorchArrays(logits.device), embeddings, logits)
        return suspicion[:, 0]  # type: ignore[no-any-return]

"""The fused detector's suspicion in torch, for attacks that know the monitor.

The same function as `conspect.monitor.runtime.Detector.suspicion`, which tests prove by value; the detector comes in as an
object with arrays, because adapters do not enter the monitor's room. Two steps have no useful gradient and get one:
whether a concept is present (the value stays 0 or 1, the gradient is a logistic curve's), and floors and ceilings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from conspect.core.digests import digest_arrays

if TYPE_CHECKING:
    from torch import Tensor

# The same as in conspect.monitor.runtime.
LEAST_PROBABILITY, LARGEST_SQUARE = 1e-7, 36.0


class Suspicion(Protocol):
    """How suspicious images look to a monitor, as a differentiable function."""

    @property
    def digest(self) -> str:
        """SHA-256 of what the function depends on beside the network."""

    def __call__(self, network: Any, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `[image, class]` and suspicion `[image]`, higher = suspect, of RGB in 0..1 `[image, 3, y, x]`.

        `network` maps images to (embeddings, logits), as `DifferentiableModel.differentiable()` does.
        """


NAMES = ("present", "failure", "sharpness", "whitening", "centres", "mean", "scale", "weights", "bias")


class FusedSuspicion:
    """The suspicion of a fitted `Detector`, from one look of the network at each image."""

    def __init__(self, detector: Any) -> None:
        """`detector`: a `conspect.monitor.runtime.Detector`; its float32 arrays are copied."""
        import torch

        folded = detector.folded
        arrays = {"weight": folded.weight, "offset": folded.offset}
        arrays |= {name: getattr(detector, name) for name in NAMES}
        self.digest = digest_arrays(arrays)
        self._concepts, self._classes = folded.concepts, folded.classes
        self._arrays = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}

    def __call__(self, network: Any, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `[image, class]` and suspicion `[image]` in nats."""
        embeddings, logits = network(images)
        return logits, self.of_outputs(embeddings, logits)

    def of_outputs(self, embeddings: Tensor, logits: Tensor) -> Tensor:
        """Suspicion `[image]` in nats of `embeddings [image, D]` and `logits [image, class]`."""
        a = {name: array.to(logits.device) for name, array in self._arrays.items()}
        outputs = logits.argmax(1)
        features = self._features(a, embeddings, logits, outputs)
        standard = (features - a["mean"]) * a["scale"]
        squares = _limited(standard.square(), LARGEST_SQUARE)
        return standard @ a["weights"][0] + squares @ a["weights"][1] + a["bias"][outputs]

    def _features(self, a: dict[str, Tensor], embeddings: Tensor, logits: Tensor, outputs: Tensor) -> Tensor:
        """`[image, feature]`, in the order of `conspect.monitor.runtime.FEATURES`."""
        import torch

        classes = self._classes
        readings = embeddings @ a["weight"].T + a["offset"]
        sizes = [self._concepts, classes, classes, classes]
        numerators, named, correction, evidence = torch.split(readings, sizes, dim=1)
        top, others = _split_off(logits, outputs)
        beside = (others - top[:, None]).exp().sum(1)
        probabilities = logits.softmax(1)
        chosen, rivals = _split_off(named, outputs)
        second_top, second_others = _split_off(logits * a["sharpness"] + correction, outputs)
        hard = (numerators > a["present"]).to(numerators.dtype)
        soft = torch.sigmoid(numerators - a["present"])
        gap = torch.cat([logits, numerators], dim=1) @ a["whitening"].T - a["centres"][outputs]
        found = [
            -_raised(beside, LEAST_PROBABILITY).log(),
            top - others.amax(1),
            logits.logsumexp(1),
            -(probabilities * logits.log_softmax(1)).sum(1),
            chosen - rivals.amax(1),
            second_top - second_others.logsumexp(1),
            evidence.gather(1, outputs[:, None])[:, 0],
            (soft + (hard - soft).detach()) @ a["failure"],
            (gap.square().sum(1) + LEAST_PROBABILITY).log(),
        ]
        return torch.stack(found, dim=1)


def _split_off(values: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Of `values [image, class]`: those of the output class `[image]`, and all with the output's own at -inf."""
    chosen = values.gather(1, outputs[:, None])
    return chosen[:, 0], values.scatter(1, outputs[:, None], float("-inf"))


def _raised(values: Tensor, least: float) -> Tensor:
    """At least `least`; where that binds the gradient is as if it did not."""
    return values + (values.clamp(min=least) - values).detach()


def _limited(values: Tensor, most: float) -> Tensor:
    """At most `most`; where that binds the gradient is as if it did not."""
    return values - (values - values.clamp(max=most)).detach()

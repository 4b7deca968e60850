"""FGSM, PGD and adaptive PGD by ART, on 8-bit images: the result is rounded, and success is what the model says then.

The adaptive attack maximises the cross-entropy of the label, minus weight x suspicion once the output is wrong. Until
then the suspicion is left out: a right output is the one thing that need not look trustworthy, and where the model is
sure of itself the suspicion's gradient would drown the cross-entropy's. (The idea is that of selective PGD: Bryniarski,
Hingun, Pachuca, Wang, Carlini, "Evading adversarial example detection defenses with orthogonal projected gradient
descent", ICLR 2022.) Of all wrong candidates of an image, from each weight and restart, the least suspicious is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.attacks.attack import Attack
from conspect.adapters.attacks.suspicion import Suspicion
from conspect.core.diagnostics import outside_error
from conspect.core.protocols import DifferentiableModel

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 50


@dataclass(frozen=True, eq=False)
class Adversarial:
    """`images [image, y, x, 3]` uint8 within the ball, and whether the model's output is wrong on each `[image]`."""

    images: NDArray[np.uint8]
    succeeded: NDArray[np.bool_]


class Attacker:
    """One attack on one model; `suspicion` is the monitor that an adaptive attack knows.

    Raises OutsideError ATTACK001 when ART or torch is missing.
    """

    def __init__(self, model: DifferentiableModel, attack: Attack, *, suspicion: Suspicion | None = None) -> None:
        missing = [name for name in ("art", "torch") if find_spec(name) is None]
        if missing:
            raise outside_error(
                "ATTACK001", f"attacks need {' and '.join(missing)}", "pip install 'conspect[attacks,torch]'"
            )
        if attack.kind == "adaptive PGD" and suspicion is None:
            raise ValueError("an adaptive attack needs the suspicion of a monitor")
        self.model, self.attack = model, attack
        self._network = model.differentiable()
        self._device = next((str(weight.device) for weight in self._network.parameters()), "cpu")
        self._suspicion = suspicion if attack.kind == "adaptive PGD" else None

    def run(self, images: NDArray[np.uint8], labels: NDArray[np.integer], *, seed: int = 0) -> Adversarial:
        """Attacks framed `images [image, y, x, 3]` uint8; `labels [image]` are true, in the model's order.

        `seed` is added to the attack's own. An image without success comes back as its last attempt.
        """
        adversarial = np.array(images)
        succeeded = np.zeros(len(images), dtype=np.bool_)
        least = np.full(len(images), np.inf)
        for attempt, weight in enumerate(self._attempts()):
            # Plain attacks end with the first success; the adaptive one goes on for a less suspicious image.
            rows = np.flatnonzero(~succeeded) if self._suspicion is None else np.arange(len(images))
            if not len(rows):
                break
            with _seeded(self.attack.seed, seed, attempt):
                tried = self._search(images[rows], labels[rows], weight)
            wrong = self.outputs(tried) != labels[rows]
            cost = self._cost(tried) if self._suspicion is not None else np.zeros(len(rows))
            better = (wrong & (cost < least[rows])) | ~(wrong | succeeded[rows])
            adversarial[rows[better]] = tried[better]
            least[rows[wrong & better]] = cost[wrong & better]
            succeeded[rows] |= wrong
        return Adversarial(adversarial, succeeded)

    def outputs(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The class that the model assigns to each image `[image]`, on the way that any image takes."""
        embeddings = self.model.embed(np.stack([self.model.prepare(image) for image in images]))
        return np.asarray(self.model.head.logits(embeddings).argmax(1), dtype=np.int64)

    def _attempts(self) -> list[float]:
        """The suspicion's weight in each attempt."""
        if self.attack.kind == "FGSM":
            return [0.0]
        return list(self.attack.weights if self._suspicion else (0.0,)) * self.attack.restarts

    def _cost(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        import torch

        assert self._suspicion is not None
        with torch.no_grad():
            _, suspicion = self._suspicion(self._network, torch.from_numpy(_scaled(images)).to(self._device))
        return np.asarray(suspicion.cpu().numpy(), dtype=np.float64)

    def _search(self, images: NDArray[np.uint8], labels: NDArray[np.integer], weight: float) -> NDArray[np.uint8]:
        """One attempt by ART, rounded to 8 bits. `epsilon` is whole, so rounding stays in the ball."""
        from art.attacks.evasion import FastGradientMethod
        from art.attacks.evasion.projected_gradient_descent.projected_gradient_descent_pytorch import (
            ProjectedGradientDescentPyTorch,
        )

        attack, estimator = self.attack, self._estimator(images.shape[1:3], weight)
        epsilon = attack.epsilon / 255
        method: Any
        if attack.kind == "FGSM":
            method = FastGradientMethod(estimator, norm=np.inf, eps=epsilon, batch_size=BATCH)
        else:
            method = ProjectedGradientDescentPyTorch(
                estimator,
                norm=np.inf,
                eps=epsilon,
                eps_step=attack.step / 255,
                max_iter=attack.steps,
                num_random_init=1,
                batch_size=BATCH,
                verbose=False,
            )
        moved = np.rint(method.generate(_scaled(images), np.asarray(labels)).transpose(0, 2, 3, 1) * 255)
        lowest, highest = (images.astype(np.int64) + sign * attack.epsilon for sign in (-1, 1))
        return np.asarray(np.clip(np.clip(moved, lowest, highest), 0, 255), dtype=np.uint8)

    def _estimator(self, size: tuple[int, ...], weight: float) -> Any:
        """ART's view of the model: logits, and a last column with the weighted suspicion when there is one."""
        import torch
        from art.estimators.classification import PyTorchClassifier

        network, suspicion = self._network, self._suspicion
        classes = len(self.model.class_names)

        class Outputs(torch.nn.Module):
            def forward(self, images: Tensor) -> Tensor:
                if suspicion is None:
                    logits: Tensor = network(images)[1]
                    return logits
                logits, cost = suspicion(network, images)
                return torch.cat([logits, weight * cost[:, None]], dim=1)

        def watched_loss(outputs: Tensor, labels: Tensor) -> Tensor:
            logits, truth = outputs[:, :classes], labels[:, :classes].argmax(1)
            entropy = torch.nn.functional.cross_entropy(logits, truth, reduction="none")
            wrong = (logits.argmax(1) != truth).to(logits.dtype)
            return (entropy - wrong * outputs[:, classes]).sum()

        return PyTorchClassifier(
            Outputs(),
            # The sum, not the mean: gradients of confident images are small enough already.
            loss=torch.nn.CrossEntropyLoss(reduction="sum") if suspicion is None else watched_loss,
            input_shape=(3, *size),
            nb_classes=classes + (suspicion is not None),
            clip_values=(0.0, 1.0),
            preprocessing=None,
            device_type="cpu" if self._device == "cpu" else "gpu",
        )


def _scaled(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """`[image, 3, y, x]` float32 in 0..1 of `[image, y, x, 3]` uint8."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)


@contextmanager
def _seeded(*seed: int) -> Iterator[None]:
    """ART draws from NumPy's global generator; it is seeded for the block and then left as it was."""
    state = np.random.get_state()
    np.random.seed(np.random.SeedSequence(seed).generate_state(4))
    try:
        yield
    finally:
        np.random.set_state(state)

"""How long an evaluation of the monitor is going to take, from the time of a few images: said before it starts."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from conspect.adapters.datasets.views.corruptions import STRENGTHS
from conspect.core.capabilities import with_gradients
from conspect.core.protocols import ImageDataset, ImageEncoder
from conspect.monitor.runtime.looks import LOOKS
from conspect.study.config import MonitorConfig
from conspect.study.inputs import StudyInputs
from conspect.study.monitor.defects import ADAPTIVE, PLAIN, TAUGHT
from conspect.study.monitor.sizes import sizes_of

PROBES = 8
# A forward and a backward pass take about as long as three forward passes; a kind of input of no class each.
BACKWARD, KINDS_OF_NO_CLASS = 3, 8


@dataclass(frozen=True, slots=True)
class Estimate:
    """`passes` of the model over one image, at `seconds_a_pass`; `vlm_passes` of the VLM likewise."""

    passes: int
    seconds_a_pass: float
    vlm_passes: int
    seconds_a_vlm_pass: float

    @property
    def seconds(self) -> float:
        """All of it, where nothing is in the store yet."""
        return self.passes * self.seconds_a_pass + self.vlm_passes * self.seconds_a_vlm_pass

    def __str__(self) -> str:
        minutes = self.seconds / 60
        about = f"{minutes:,.0f} minutes" if minutes >= 2 else f"{self.seconds:,.0f} seconds"
        return (
            f"about {about}, less what is in the store already: some {self.passes:,} passes of the model at "
            f"{1000 * self.seconds_a_pass:.2g} ms, {self.vlm_passes:,} of the VLM at {1000 * self.seconds_a_vlm_pass:.2g} ms"
        )


def estimate(config: MonitorConfig, inputs: StudyInputs) -> Estimate:
    """Times both encoders on a few test images; takes about as long as embedding these twice."""
    held_out = 0 if inputs.held_out is None else len(inputs.held_out)
    sizes = sizes_of(config, len(inputs.test))
    fitted = min(sizes.fit + sizes.calibration, held_out)
    attacked = 0 if with_gradients(inputs.model) is None else sizes.attacked
    steps = sum(attack.steps if attack.kind != "FGSM" else 1 for attack in (TAUGHT, *PLAIN))
    steps += sum(attack.steps * len(attack.weights) for attack in ADAPTIVE) // 2
    defective = attacked * (len(PLAIN) + 2) + len(STRENGTHS) * sizes.corrupted
    defective += KINDS_OF_NO_CLASS * sizes.of_no_class
    looked_at = (len(inputs.test) + fitted + defective) * (1 + len(LOOKS))
    seen = len(inputs.test) + min(sizes.vlm, fitted) + defective
    # The lens is aligned first, on the training images in both spaces.
    aligned = len(inputs.train)
    return Estimate(
        aligned + looked_at + attacked * steps * BACKWARD,
        _seconds(inputs.model, inputs.test),
        aligned + seen,
        _seconds(inputs.vlm, inputs.test),
    )


def _seconds(encoder: ImageEncoder, dataset: ImageDataset) -> float:
    """Of one image, in a batch."""
    images = [dataset.image(row) for row in range(min(PROBES, len(dataset)))]
    taken = []
    for _ in range(3):  # the first call of a library makes things ready, another may meet a busy machine
        start = time.perf_counter()
        encoder.embed(np.stack([encoder.prepare(image) for image in images]))
        taken.append(time.perf_counter() - start)
    return min(taken) / max(len(images), 1)

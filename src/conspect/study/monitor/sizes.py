"""How many images a monitor is fitted, calibrated and tried on: what study.toml says, or what the study's own number allows."""

from __future__ import annotations

from dataclasses import dataclass

from conspect.study.config import MonitorConfig

# Of a study of 4,000 images and more; smaller ones take as many as they have, and half as many.
FIT_IMAGES, LEAST_FIT_IMAGES = 4000, 600
# Attacks are most of the work. Fewer defective images than this show nothing.
LEAST_DEFECTIVE, DEFECTIVE_SHARE, CORRUPTED_SHARE = 20, 12, 4


@dataclass(frozen=True, slots=True)
class MonitorSizes:
    """Numbers of images. `fit`, `calibration`: held-out ones, of which the VLM sees the first `vlm`; `attacked` by each attack,
    `corrupted` at each strength, `of_no_class` of each kind: at most."""

    fit: int
    calibration: int
    vlm: int
    attacked: int
    corrupted: int
    of_no_class: int


def sizes_of(config: MonitorConfig, reported: int) -> MonitorSizes:
    """For a study that reports on so many images: 600 take a minute, and nobody waits for what 4,000 would need."""
    fit = min(FIT_IMAGES, max(LEAST_FIT_IMAGES, reported))
    few = max(reported // DEFECTIVE_SHARE, LEAST_DEFECTIVE)
    return MonitorSizes(
        fit=fit if config.fit_images is None else config.fit_images,
        calibration=fit // 2 if config.calibration_images is None else config.calibration_images,
        vlm=fit // 2 if config.vlm_images is None else config.vlm_images,
        attacked=min(config.attacked, few),
        corrupted=min(config.corrupted, reported // CORRUPTED_SHARE),
        of_no_class=min(config.of_no_class, few),
    )

"""The demo: this project's residual network on CIFAR-10, seen through the pocket VLM."""

from __future__ import annotations

from pathlib import Path

from conspect.study.config import DataConfig, ModelConfig, Settings, StudyConfig
from conspect.study.study import Study

# The alignment wants many times more images than the 256 dimensions of the embedding; 10,000 is where R2 stops growing.
ALIGNMENT_IMAGES, LEAST_ALIGNMENT_IMAGES = 10_000, 2_000


def demo_study(folder: Path, *, images: int = 4000, seed: int = 0, cifar10: Path | None = None) -> Study:
    """Writes the demo's study.toml into `folder` and opens it. A quick look (few images) also aligns on fewer."""
    alignment = min(ALIGNMENT_IMAGES, max(LEAST_ALIGNMENT_IMAGES, 5 * images // 2))
    config = StudyConfig(
        data=DataConfig(
            kind="cifar10",
            images=images,
            alignment_images=alignment,
            directory=None if cifar10 is None else str(cifar10),
        ),
        model=ModelConfig(name="demo-resnet"),
        settings=Settings(seed=seed),
    )
    return Study.create(folder, config)

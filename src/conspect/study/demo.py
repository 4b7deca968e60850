"""The demo: this project's residual network on CIFAR-10, seen through the pocket VLM."""

from __future__ import annotations

from pathlib import Path

from conspect.assets import demo_class_attributes
from conspect.core.diagnostics import user_error
from conspect.core.files import write_atomically, writing_to
from conspect.language import from_attribute_table, write
from conspect.study.config import (
    DataConfig,
    ModelConfig,
    MonitorConfig,
    NeighbourhoodsConfig,
    PropertiesConfig,
    Settings,
    StudyConfig,
    VlmConfig,
)
from conspect.study.study import Study

# The alignment wants many times more images than the 256 dimensions of the embedding; a quick look aligns on fewer.
ALIGNMENT_IMAGES, LEAST_ALIGNMENT_IMAGES = 10_000, 2_000
SPECIFICATION = "expected.cspec"


def demo_study(
    folder: Path, *, images: int = 4000, seed: int = 0, cifar10: Path | None = None, vlm: str | None = None
) -> Study:
    """Writes the demo's study.toml and its specification into `folder` and opens the study.

    The specification is generated from the class-attribute table: every relevant concept over every irrelevant one. `vlm`: see
    `demo_vlm`; None is the pocket VLM.
    """
    config = StudyConfig(
        data=DataConfig(
            kind="cifar10",
            images=images,
            alignment_images=min(ALIGNMENT_IMAGES, max(LEAST_ALIGNMENT_IMAGES, 5 * images // 2)),
            directory=None if cifar10 is None else str(cifar10),
        ),
        model=ModelConfig(name="demo-resnet"),
        vlm=VlmConfig() if vlm is None else demo_vlm(vlm),
        properties=PropertiesConfig(files=(SPECIFICATION,)),
        neighbourhoods=NeighbourhoodsConfig(images=min(1000, max(100, images // 4))),
        monitor=demo_monitor(images),
        settings=Settings(seed=seed),
    )
    study = Study.create(folder, config)
    with writing_to(folder):
        write_atomically(folder / SPECIFICATION, demo_specification().encode())
    return study


def demo_vlm(text: str) -> VlmConfig:
    """The VLM that `KIND:NAME` names: open-clip:MODEL/WEIGHTS, transformers:NAME, or a local file or folder after either kind.

    Raises UserError CLI004 for anything else, and for a place where there is nothing.
    """
    kind, _, name = text.partition(":")
    if name and kind in {"open-clip", "transformers"}:
        place = Path(name).expanduser()
        if place.exists():
            return VlmConfig(kind=kind, path=str(place.resolve()))  # type: ignore[arg-type]
        # A name of the hub never begins so; asked for there, a mistyped folder would be a failed download.
        if name.startswith((".", "/", "~")):
            raise user_error("CLI004", f"there is no file or folder {str(place)[:200]}", "correct the path after --vlm")
        model, _, weights = name.rpartition("/")
        if kind == "transformers":
            return VlmConfig(kind="transformers", name=name)
        if model and weights:
            return VlmConfig(kind="open-clip", name=model, weights=weights)
    if text == "pocket":
        return VlmConfig()
    fix = "for instance open-clip:ViT-B-32/laion2b_s34b_b79k, transformers:openai/clip-vit-base-patch32, or open-clip:FOLDER"
    raise user_error("CLI004", f"--vlm: {text[:80]!r} names no VLM", fix)


def demo_monitor(images: int) -> MonitorConfig:
    """Sizes of the monitor's splits and of its defects: fewer for a quick look."""
    fit_images = min(4000, max(600, images))
    few = min(100, max(6, images // 40))
    return MonitorConfig(
        fit_images=fit_images,
        calibration_images=fit_images // 2,
        vlm_images=fit_images // 2,
        attacked=few,
        corrupted=3 * few,
        of_no_class=few,
    )


def demo_specification() -> str:
    """The 540 properties that the class-attribute table leads one to expect of CIFAR-10's classes, as text."""
    return write(from_attribute_table(demo_class_attributes()), "house")

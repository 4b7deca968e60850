"""What a service runs: a study's model and its monitor. Opens no data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from conspect.core.diagnostics import user_error
from conspect.core.protocols import VisionModel
from conspect.monitor.runtime import Monitor
from conspect.monitor.runtime.looks import Look
from conspect.study.config import read_config
from conspect.study.inputs import open_model
from conspect.study.study import CONFIG_FILE, lens_of


@dataclass(frozen=True, eq=False)
class Deployment:
    """A monitor and, unless embeddings come with their logits, the model that it watches; whether that looks again."""

    monitor: Monitor
    model: VisionModel | None = None
    second_look: bool = False

    def __post_init__(self) -> None:
        """Raises UserError WEB004 when the monitor's sizes or classes are not the model's."""
        if self.model is None:
            return
        if self.second_look:
            self.looks()
        dimensions = self.monitor.detector.folded.weight.shape[1]
        if self.model.embedding_size != dimensions or tuple(self.model.class_names) != self.monitor.class_names:
            problem = (
                f"the monitor is of another model: {dimensions} dimensions and {len(self.monitor.class_names)} classes, not "
                f"{self.model.embedding_size} and {len(self.model.class_names)} of {self.model.name}, or other class names"
            )
            raise user_error("WEB004", problem, "fit the monitor of this study anew: conspect monitor fit --study DIR")

    def looks(self) -> tuple[Look, ...]:
        """The further looks at each image; none without a second look. Raises UserError MONITOR001."""
        return self.monitor.required_second_look().required_looks() if self.second_look else ()


def deployed(study: Path | None, monitor: Path | None, *, second_look: bool = False) -> Deployment:
    """The model of the study in the folder `study` and its monitor, or the one in the folder `monitor`, or that one alone.

    Raises UserError STUDY001, STUDY002, MODEL002, WEB004, MONITOR007 (another model's or lens's monitor), MONITOR001 (no second
    look); OutsideError MODEL001, MONITOR004.
    """
    if study is None:
        if monitor is None:
            raise user_error("WEB004", "neither a study nor a monitor is named", "give --study DIR or --monitor DIR")
        if second_look:
            raise user_error("WEB004", "there is no model that could look again", "serve a study: --study DIR")
        return Deployment(Monitor.load(monitor))
    model = open_model(read_config(study / CONFIG_FILE), study)
    loaded = Monitor.load(monitor or study / "monitor", model=model, lens_digest=lens_of(study))
    return Deployment(loaded, model, second_look=second_look)

"""Is a broken input pipeline named as what it is? Usual mistakes planted before the model of a study, and its diagnosis asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from conspect.analysis.diagnosis.weighing import ModelDiagnosis, Suspect, diagnose
from conspect.bench.rows import Measurement, row
from conspect.core.files import write_atomically
from conspect.core.protocols import ProgressBar, silent
from conspect.faults.planting.broken_inputs import BrokenInput, broken_inputs
from conspect.faults.planting.cases import LEAST_DROP, CaseModel, Part, PlantedCase
from conspect.faults.planting.pipelines import Pipeline
from conspect.faults.subjects.sound_network import TEST, TRAIN, SoundNetwork
from conspect.faults.subjects.study_subject import study_subject
from conspect.statistics.threads import one_thread
from conspect.study.diagnosing.gathering import Images, gather, vlm_probe
from conspect.study.diagnosing.record import evidence_weights

# Images of each split, and those that each change of the input is tried on: as in a run; the doctor takes four times as many.
TRAIN_IMAGES, TEST_IMAGES, CHANGED = 800, 400, 100


def measure(folder: Path, keep: Path | None = None, bar: ProgressBar = silent) -> Measurement:
    """A row for each kind that costs accuracy (1: named as what it is), and one of all of them. `keep`: a folder of answers, gone
    on from.

    Raises UserError BENCH001 for a model in which nothing can be planted.
    """
    subject = study_subject(folder, bar).first(TRAIN_IMAGES, TEST_IMAGES)
    kinds = tuple(broken_inputs(subject.prepare))
    done = bar("broken inputs", len(kinds) + 1)
    answers = Answers(None if keep is None else keep / "inputs.json")
    plain = answers.of("sound", partial(_answered, None, subject))
    done(1)
    alarm = len(plain.named) == 1 and plain.named != (Suspect.NONE.value,)
    rows = [row("sound: called broken", float(alarm), "yes or no", ("<=", 0))]
    costly = []
    for kind in kinds:
        answer = answers.of(kind.pipeline.name, partial(_answered, kind, subject))
        done(1)
        if plain.accuracy - answer.accuracy >= LEAST_DROP:
            costly.append(answer.right)
            named = " or ".join(answer.named)
            what = f"{kind.pipeline.name}: {100 * plain.accuracy:.1f} % becomes {100 * answer.accuracy:.1f} %; named: {named}"
            rows.append(row(what, float(costly[-1]), "yes or no"))
    share = round(sum(costly) / max(len(costly), 1), 4)
    return {
        "cases": len(costly),
        "rows": [
            row("kinds named as what they are, of those that cost accuracy", share, "share", (">=", 10 / 12)),
            *rows,
        ],
    }


@dataclass(frozen=True, slots=True)
class InputAnswer:
    """What is said of one pipeline: suspects `named`, whether it is named as what it is, and the model's accuracy, 0..1."""

    named: tuple[str, ...]
    right: bool
    accuracy: float


class Answers:
    """By the name of the pipeline, kept in a file where `path` is one."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        kept = path is not None and path.is_file()
        self.known = msgspec.json.decode(path.read_bytes(), type=dict[str, InputAnswer]) if path and kept else {}

    def of(self, name: str, answered: Callable[[], InputAnswer]) -> InputAnswer:
        """The answer that was kept, or else `answered`, which is kept."""
        if name not in self.known:
            self.known[name] = answered()
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(self.path, msgspec.json.encode(self.known))
        return self.known[name]


def _answered(kind: BrokenInput | None, subject: SoundNetwork) -> InputAnswer:
    diagnosis, accuracy = diagnosed(None if kind is None else kind.pipeline, subject)
    named = tuple(suspect.value for suspect in diagnosis.named)
    return InputAnswer(named, kind is not None and kind.is_named(diagnosis), accuracy)


def diagnosed(pipeline: Pipeline | None, subject: SoundNetwork) -> tuple[ModelDiagnosis, float]:
    """What the shipped weights say of the subject with this pipeline, and its accuracy on test images."""
    model = CaseModel(PlantedCase("", Part.INPUT, 0.0, subject.encoder, subject.head, pipeline=pipeline), subject, {})
    images = {}
    for split, pixels in subject.pixels.items():
        embeddings = model.embed(np.stack([model.prepare(picture) for picture in pixels]))
        images[split] = Images(pixels.__getitem__, subject.labels[split], embeddings, subject.vlm[split])
    with one_thread():
        probe = vlm_probe(images[TRAIN], len(subject.class_names))
        evidence = gather(
            model, images[TRAIN], images[TEST], class_directions=subject.class_directions, probe=probe, changed=CHANGED
        )
        return diagnose(evidence, evidence_weights()), evidence.head.accuracy

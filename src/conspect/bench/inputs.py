"""Is a broken input pipeline named as what it is? Usual mistakes planted before the model of a study, and its diagnosis asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from conspect.analysis.diagnosis.weighing import ModelDiagnosis, Suspect, diagnose
from conspect.bench.rows import Measurement, row
from conspect.core.protocols import ProgressBar, silent
from conspect.faults.broken_inputs import broken_inputs
from conspect.faults.cases import LEAST_DROP, Case, CaseModel, Part
from conspect.faults.pipelines import Pipeline
from conspect.faults.study_subject import study_subject
from conspect.faults.subjects import TEST, TRAIN, SoundNetwork
from conspect.statistics.threads import one_thread
from conspect.study.diagnosing.gathering import Images, gather, vlm_probe
from conspect.study.diagnosing.record import evidence_weights

# Images of each split, and those that each change of the input is tried on: as in a run; the doctor takes four times as many.
TRAIN_IMAGES, TEST_IMAGES, CHANGED = 800, 400, 100


def measure(folder: Path, bar: ProgressBar = silent) -> Measurement:
    """A row for each kind that costs accuracy (1: named as what it is), and one of all of them.

    Raises UserError BENCH001 for a model in which nothing can be planted.
    """
    subject = study_subject(folder, bar).first(TRAIN_IMAGES, TEST_IMAGES)
    kinds = tuple(broken_inputs(subject.prepare))
    done = bar("broken inputs", len(kinds) + 1)
    plain, sound = diagnosed(None, subject)
    done(1)
    rows = [row("sound: called broken", float(plain.suspect not in {Suspect.NONE, None}), "yes or no", ("<=", 0))]
    costly = []
    for kind in kinds:
        diagnosis, accuracy = diagnosed(kind.pipeline, subject)
        done(1)
        if sound - accuracy >= LEAST_DROP:
            costly.append(kind.is_named(diagnosis))
            named = " or ".join(suspect.value for suspect in diagnosis.named)
            what = f"{kind.pipeline.name}: {100 * sound:.1f} % becomes {100 * accuracy:.1f} %; named: {named}"
            rows.append(row(what, float(costly[-1]), "yes or no"))
    share = round(sum(costly) / max(len(costly), 1), 4)
    return {
        "cases": len(costly),
        "rows": [
            row("kinds named as what they are, of those that cost accuracy", share, "share", (">=", 10 / 12)),
            *rows,
        ],
    }


def diagnosed(pipeline: Pipeline | None, subject: SoundNetwork) -> tuple[ModelDiagnosis, float]:
    """What the shipped weights say of the subject with this pipeline, and its accuracy on test images."""
    model = CaseModel(Case("", Part.INPUT, 0.0, subject.encoder, subject.head, pipeline=pipeline), subject, {})
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

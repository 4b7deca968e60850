"""The model of a study as the subject of planted faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.core.capabilities import HasStages
from conspect.core.diagnostics import user_error
from conspect.core.protocols import ImageDataset, ProgressBar
from conspect.faults.subjects.sound_network import TEST, TRAIN, SoundNetwork
from conspect.study import Study

TRAIN_IMAGES, TEST_IMAGES = 2500, 1500


def study_subject(folder: Path, bar: ProgressBar) -> SoundNetwork:
    """The first `TEST_IMAGES` readable test images and `TRAIN_IMAGES` alignment images of the study in `folder`.

    Raises UserError BENCH001 for a model in which faults cannot be planted: its head must be linear and its encoder a
    torch.nn.Sequential, in the attribute `encoder`.
    """
    study = Study.open(folder)
    inputs, model = study.inputs, study.inputs.model
    if not isinstance(model, HasStages) or not model.head.is_linear:
        problem = f"faults cannot be planted in {model.name}: they need a linear head and the stages of the encoder"
        raise user_error(
            "BENCH001", problem, "use a study of demo-resnet, or of a network of training/train_vision_model.py"
        )
    stages: HasStages = model
    measured = study.measurements(bar)
    train, test = measured.train, measured.test
    rows = {TRAIN: train.rows[:TRAIN_IMAGES], TEST: test.rows[:TEST_IMAGES]}

    def framed(dataset: ImageDataset, chosen: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.stack([stages.framed(dataset.image(int(row))) for row in chosen])

    return SoundNetwork(
        name=f"{model.name} on {inputs.test.name}",
        encoder=stages.encoder,
        head=model.head.layers[0],
        prepare=model.prepare,
        pixels={TRAIN: framed(inputs.train, rows[TRAIN]), TEST: framed(inputs.test, rows[TEST])},
        labels={TRAIN: train.labels[:TRAIN_IMAGES], TEST: test.labels[:TEST_IMAGES]},
        vlm={
            TRAIN: train.vlm_embeddings(np.arange(len(rows[TRAIN]))),
            TEST: test.vlm_embeddings(np.arange(len(rows[TEST]))),
        },
        class_names=model.class_names,
        class_directions=measured.class_directions,
    )

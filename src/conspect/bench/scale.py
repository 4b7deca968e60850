"""10^4, 10^5 and 10^6 images of 512 dimensions, 10 classes, 100 concepts: whole runs of a study, report included."""

from __future__ import annotations

import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from conspect.analysis.concepts.grades import Grade
from conspect.analysis.heatmaps import by_group
from conspect.bench.rows import Row, peak_memory, row
from conspect.bench.workloads.scale_world import CLASSES, DIMENSIONS, World, filled_study_folder
from conspect.results.results import Results
from conspect.study.config import StudyConfig
from conspect.study.inputs import StudyInputs
from conspect.study.recording.heatmaps import heatmap_results
from conspect.study.study import Study

SIZES = (10_000, 100_000, 1_000_000)
MEMORY_MB, OVER_LINEAR = 2048, 1.5
# Two of this machine's processors as Ray's workers; counts of so many images.
RAY_WORKERS, RAY_IMAGES = 2, 100_000


def rows(*, small: bool = False) -> list[Row]:
    """For each size the time of each stage and of all, the ratio to linear, and the peak of memory; `small`: without 10^6."""
    table: list[Row] = []
    world, before = World(), None
    for images in SIZES[:-1] if small else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            inputs = filled_study_folder(world, Path(folder), images)
            study = Study(Path(folder), StudyConfig(), inputs)
            processor = time.process_time()
            results = study.run()
            each = (time.process_time() - processor) / images
            memory = peak_memory()
            if before is None:
                equal = _equal(study)
            alike = _counts_by_ray(Path(folder), inputs, results) if images == RAY_IMAGES else None
        name = f"{images:,} x {DIMENSIONS}"
        table += [row(f"{name}: {part}", round(value, 2), "s") for part, value in results.timings.items()]
        if before is not None:
            # Processor time: what else runs on the machine does not count.
            what = f"{name}: processor time an image over that at {images // 10:,}"
            table.append(row(what, round(each / before, 3), "ratio", ("<=", OVER_LINEAR)))
        before = each
        table.append(row(f"{name}: peak memory of the process", round(memory, 1), "MB", ("<=", MEMORY_MB)))
        if alike is not None:
            what = f"{name}: {RAY_WORKERS} workers of Ray give the same counts, to the bit"
            table.append(row(what, float(alike), "1 = yes", (">=", 1)))
    what = f"{SIZES[0]:,}: counts equal those of arrays in memory, to the bit"
    return [*table, row(what, float(equal), "1 = yes", (">=", 1))]


def _equal(study: Study) -> bool:
    """The counts of a pass against those of the whole arrays."""
    measured = study.measurements()
    z, y = measured.test.model_embeddings(), measured.test.vlm_embeddings()
    numerators, outputs = measured.lens.folded(z), study.inputs.model.head.logits(z).argmax(1)
    tallies = measured.tallies
    pairs_of = (
        (tallies.heatmaps.ground_truth(), by_group(numerators, measured.labels, CLASSES)),
        (tallies.heatmaps.output_label(), by_group(numerators, outputs, CLASSES)),
        (tallies.ground_truth_by_vlm(), by_group(y @ measured.lens.directions.T, measured.labels, CLASSES)),
    )
    return all(
        np.array_equal(a.greater, b.greater) and a.images == b.images
        for ours, theirs in pairs_of
        for a, b in zip(ours, theirs, strict=True)
    )


def _counts_by_ray(folder: Path, inputs: StudyInputs, results: Results) -> bool | None:
    """Do two workers give the heatmaps and verdicts of `results`? None without Ray."""
    if find_spec("ray") is None:
        return None
    study = Study(folder, StudyConfig(), inputs)
    with study.ray_workers(processors=RAY_WORKERS):
        return same_counts(study, results)


def same_counts(study: Study, results: Results) -> bool:
    """Are the heatmaps and the number of failures that a study counts now those of `results`, to the bit?"""
    measured = study.measurements()
    believed = np.array([concept.grade != Grade.NOT_SEEN.value for concept in results.concepts])
    maps = heatmap_results(
        measured,
        study.config.settings,
        np.asarray(_shown(results)),
        believed=believed,
        examples=results.heatmaps.examples,
        orders=results.heatmaps.orders,
    )
    table = measured.tallies.oracles.localization(study.config.settings.confidence)
    return maps == results.heatmaps and table.failures == results.localization.failures


def _shown(results: Results) -> list[int]:
    names = [concept.name for concept in results.concepts]
    return [names.index(name) for name in results.heatmaps.concepts]

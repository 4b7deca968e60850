"""From a configuration to the things it names: data sets, model, VLM, concepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs

from conspect import assets
from conspect.adapters.datasets import open_split
from conspect.adapters.datasets.names import check_names
from conspect.adapters.datasets.views.subsets import rest, sample
from conspect.adapters.models import model_of
from conspect.adapters.sources.classes import distinct
from conspect.adapters.vlms import vlm_of
from conspect.core.attribute_table import read_attribute_table
from conspect.core.capabilities import concept_labels_of, metadata_of
from conspect.core.concepts import ClassAttributes, Concept, ConceptSet
from conspect.core.diagnostics import SourceLocation, user_error
from conspect.core.files import LARGEST_TEXT, read_content, read_text
from conspect.core.protocols import ImageDataset, ProgressBar, VisionLanguageModel, VisionModel, silent
from conspect.core.toml import toml_table
from conspect.study.config import StudyConfig
from conspect.study.packages import require_packages

# Fewer left-over test images are not worth a monitor's while: it then takes a part of the study's own.
LEAST_HELD_OUT = 1000
MOST_SLICES = 200


def cache_directory() -> Path:
    """Where downloads and unpacked towers are kept."""
    return Path(platformdirs.user_cache_dir("conspect"))


@dataclass(frozen=True, eq=False)
class StudyInputs:
    """Everything a study works on. `attributes` is None when no table fits the classes and concepts.

    `held_out`: test images that the study does not report on, in random order, for the monitor to learn from; None when
    there are fewer than `LEAST_HELD_OUT`.
    """

    train: ImageDataset
    test: ImageDataset
    model: VisionModel
    vlm: VisionLanguageModel
    concepts: ConceptSet
    attributes: ClassAttributes | None
    held_out: ImageDataset | None = None


def open_model(config: StudyConfig, folder: Path) -> VisionModel:
    """The model under study alone; relative paths are relative to `folder`. Raises the errors of the adapters."""
    return model_of(config.model.request(folder))


def load_inputs(config: StudyConfig, folder: Path, bar: ProgressBar = silent) -> StudyInputs:
    """Opens what the configuration names; relative paths are relative to `folder`.

    Raises the errors of the adapters; UserError STUDY002 when the data's classes are not the model's.
    """
    require_packages(config)
    model = open_model(config, folder)
    train, test, held_out = _datasets(config, folder, bar)
    check_classes(model, train, test, *([] if held_out is None else [held_out]))
    check_slices(config.data.slices or (), test)
    concepts = demo_or_own_concepts(config, folder)
    table = None if config.concepts.class_attributes is None else folder / config.concepts.class_attributes
    return StudyInputs(
        train=train,
        test=test,
        model=model,
        vlm=vlm_of(config.vlm.request(folder), cache=cache_directory()),
        concepts=concepts,
        attributes=attributes_of(table, train, model.class_names, concepts.names),
        held_out=held_out,
    )


def check_classes(model: VisionModel, *datasets: ImageDataset) -> None:
    """Raises UserError STUDY002 when a data set has a class that the model does not know, MODEL002 or DATA007 when one name
    stands for two classes.
    """
    distinct(tuple(model.class_names), model.name)
    for dataset in datasets:
        check_names(dataset.class_names, (), dataset.split)
        unknown = sorted(set(dataset.class_names) - set(model.class_names))
        if unknown:
            raise user_error(
                "STUDY002",
                f"the {dataset.split} images have classes that the model does not: {', '.join(unknown[:5])}",
                f"name the class folders as the model's classes: {', '.join(model.class_names[:12])}",
            )


def check_slices(names: tuple[str, ...], dataset: ImageDataset) -> None:
    """Raises UserError STUDY002 for a slice column that the data set lacks, or that has too many values to be one."""
    known = metadata_of(dataset)
    for name in names:
        if name not in known:
            fix = f"columns of this data set: {', '.join(known) or 'none'}"
            raise user_error("STUDY002", f"[data] slices: the images have no column {name!r}", fix)
        values = len(set(known[name]))
        if values > MOST_SLICES:
            fix = f"use a column with at most {MOST_SLICES} values, such as one of ranges"
            raise user_error("STUDY002", f"[data] slices: {name!r} has {values:,} different values", fix)


def labels_in_model_order(
    dataset: ImageDataset, class_names: tuple[str, ...]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The data set's labels `[image]` as indices into the model's classes."""
    order = np.asarray([class_names.index(name) for name in dataset.class_names], dtype=np.int64)
    return order[dataset.labels]


def _datasets(
    config: StudyConfig, folder: Path, bar: ProgressBar
) -> tuple[ImageDataset, ImageDataset, ImageDataset | None]:
    data, seed, cache = config.data, config.settings.seed, cache_directory()
    train = open_split(data, "train", folder=folder, cache=cache, images=data.alignment_images, bar=bar)
    test = open_split(data, "test", folder=folder, cache=cache, images=data.images, bar=bar)
    held_out = rest(test, data.images, seed=seed)
    return (
        sample(train, data.alignment_images, seed=seed),
        sample(test, data.images, seed=seed),
        held_out if len(held_out) >= LEAST_HELD_OUT else None,
    )


def demo_or_own_concepts(config: StudyConfig, folder: Path) -> ConceptSet:
    """The concepts file the configuration names, or the demo's. Raises UserError STUDY002 for a malformed file."""
    if config.concepts.file is None:
        return assets.demo_concepts()
    path = folder / config.concepts.file
    try:
        table = toml_table(read_text(path))
        entries = table["concepts"]
        if not isinstance(entries, Mapping):
            raise TypeError("[concepts] is no table")
        concepts = ConceptSet(
            concepts=tuple(Concept(name, _phrases(name, entry)) for name, entry in entries.items()),
            concept_templates=_templates(table.get("concept_templates", ["a photo of something with {}", "{}"])),
            class_templates=_templates(table.get("class_templates", ["a photo of a {}", "{}"])),
            unseen_words=tuple(
                (name, str(e["unseen"])) for name, e in entries.items() if isinstance(e, dict) and "unseen" in e
            ),
        )
    except (
        OSError,
        UnicodeDecodeError,
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
        RecursionError,
    ) as error:
        raise user_error(
            "STUDY002", f"not a concepts file: {error}", "see docs/study.md for the format", SourceLocation(str(path))
        ) from error
    if len(concepts.concepts) < 1:
        raise user_error(
            "STUDY002",
            "the concepts file names no concept",
            'add lines like wheels = ["wheels"] under [concepts]',
            SourceLocation(str(path)),
        )
    return concepts


def _phrases(name: str, entry: object) -> tuple[str, ...]:
    phrases = entry.get("phrases", [name]) if isinstance(entry, dict) else entry
    if not isinstance(phrases, list) or not phrases or not all(isinstance(p, str) and p.strip() for p in phrases):
        raise ValueError(f"concept {name!r} needs a list of phrases")
    return tuple(phrases)


def _templates(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(t, str) and "{}" in t for t in value):
        raise ValueError("templates are a list of texts that contain {}")
    return tuple(value)


def _labelled_attributes(train: ImageDataset) -> ClassAttributes | None:
    """The table that the training images' own concept labels make; None when a class has no labelled image."""
    labelled = concept_labels_of(train)
    if not labelled.names:
        return None
    members = [labelled.presence[train.labels == index] for index in range(len(train.class_names))]
    known = np.asarray([(~np.isnan(rows)).sum(0) for rows in members])
    if not known.all():
        return None
    return ClassAttributes(
        train.class_names, labelled.names, np.asarray([np.nansum(rows, 0) for rows in members]) / known
    )


def attributes_of(
    table: Path | None, train: ImageDataset, class_names: tuple[str, ...], concept_names: tuple[str, ...]
) -> ClassAttributes | None:
    """Which share of a class carries which concept: of the CSV file, of the images' own concept labels, or the demo's.

    None when none fits. Raises UserError STUDY002 or SPEC411 for a file that cannot be read or does not fit.
    """
    if table is None:
        labelled = _labelled_attributes(train)
        for known in (*([] if labelled is None else [labelled]), assets.demo_class_attributes()):
            try:
                return known.aligned_to(class_names, concept_names)
            except KeyError:
                continue
        return None
    try:
        return read_attribute_table(read_content(table, most=LARGEST_TEXT), str(table)).aligned_to(
            class_names, concept_names
        )
    except OSError as error:
        problem = f"the class-attribute table cannot be read: {error.strerror}"
        raise user_error(
            "STUDY002", problem, "correct [concepts] class_attributes", SourceLocation(str(table))
        ) from error
    except KeyError as error:
        fix = "one row per class of the model, one column per concept"
        raise user_error("STUDY002", str(error.args[0]), fix, SourceLocation(str(table))) from error

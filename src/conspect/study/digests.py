"""Digests of what a study is made of: its settings, its parts, and what is known of its images."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from conspect.adapters.datasets.states import state_of
from conspect.core.capabilities import concept_labels_of, metadata_of
from conspect.core.digests import digest_arrays, digest_file, digest_json
from conspect.study.config import StudyConfig
from conspect.study.inputs import StudyInputs


def digest_of_config(folder: Path, config: StudyConfig) -> str:
    """Of study.toml without its [gate], which shapes no result, and of the files it names.

    Folders of images are too large to be read for this, tables are not.
    """
    concepts, properties = config.concepts, config.properties
    models = (*config.model.files(), *config.vlm.files())
    named = (concepts.file, concepts.class_attributes, *models, *properties.files)
    paths = [folder / name for name in named if name is not None]
    # A model's folder stands for the files in it.
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    contents = [digest_file(path) if path.is_file() else None for path in files]
    tables = state_of(config.data, folder)
    return digest_json([replace(config, gate=None).to_toml(), contents, *([tables] if tables else [])])


def digests_of(inputs: StudyInputs) -> dict[str, str]:
    """By part of the study; any of them that changes makes results stale."""
    return {
        "model": inputs.model.digest,
        "head": inputs.model.head.digest,
        "vlm": inputs.vlm.digest,
        "train": inputs.train.digest,
        "test": inputs.test.digest,
        "concepts": digest_json(asdict(inputs.concepts)),
    }


def digest_of_metadata(inputs: StudyInputs) -> str:
    """Of what is known of the images beside their content and class, which the data sets' digests leave out."""
    known = []
    for data in (inputs.train, inputs.test):
        columns, concepts = metadata_of(data), concept_labels_of(data)
        known.append([{name: list(columns[name]) for name in columns}, concepts.names])
        known.append([digest_arrays({"": concepts.presence})])
    return digest_json(known)

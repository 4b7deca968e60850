"""The Python interface of one line each: models, VLMs and images by name or from disk, and a study of what you hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from conspect import assets
from conspect.adapters import datasets, models, vlms
from conspect.adapters.sources.request import RequestOptions
from conspect.core.concepts import Concept, ConceptSet
from conspect.core.diagnostics import user_error
from conspect.core.protocols import ImageDataset, ProgressBar, VisionLanguageModel, VisionModel, silent
from conspect.study.config import Settings, StudyConfig
from conspect.study.inputs import StudyInputs, attributes_of, cache_directory, check_classes
from conspect.study.own_objects import confirm_digests
from conspect.study.study import Study

Concepts = ConceptSet | Mapping[str, Sequence[str]] | Sequence[str | Concept]


def load_model(
    name: str | None = None,
    *,
    path: str | Path | None = None,
    kind: models.ModelKind = "conspect",
    **options: Unpack[RequestOptions],
) -> VisionModel:
    """A vision model by name, or from a local file or folder; `kind` and `options` as in docs/models.md.

    Raises the errors MODEL001 to MODEL007.
    """
    return models.load_model(name, None if path is None else Path(path), kind=kind, **options)


def load_vlm(
    name: str | None = None,
    *,
    path: str | Path | None = None,
    kind: vlms.VlmKind = "pocket",
    **options: Unpack[RequestOptions],
) -> VisionLanguageModel:
    """A VLM by name, or from a local file or folder; the pocket VLM where nothing is said. See docs/models.md."""
    where = None if path is None else Path(path)
    return vlms.load_vlm(name, cache=cache_directory(), path=where, kind=kind, **options)


def load_images(
    train: str | None = None,
    test: str | None = None,
    *,
    kind: datasets.DataKind = "image-folder",
    folder: str | Path = ".",
    bar: ProgressBar = silent,
    **options: Any,
) -> tuple[ImageDataset, ImageDataset]:
    """Training and test images; `kind` and `options` are the keys of [data] in docs/data.md, paths relative to `folder`.

    Raises UserError STUDY002 for what does not fit the kind, and the errors DATA001 to DATA008.
    """
    try:
        source = datasets.DataSource(kind=kind, train=train, test=test, **options)
    except TypeError as error:
        fix = f"the keys of a {kind} are in docs/data.md"
        raise user_error("STUDY002", f"images of kind {kind!r} take no such option: {error}", fix) from error
    for problem, fix in source.misfits():
        raise user_error("STUDY002", problem, fix)
    where = {"folder": Path(folder), "cache": cache_directory(), "bar": bar}
    return datasets.open_split(source, "train", **where), datasets.open_split(source, "test", **where)  # type: ignore[arg-type]


def make_study(
    folder: str | Path,
    *,
    model: VisionModel,
    vlm: VisionLanguageModel,
    images: tuple[ImageDataset, ImageDataset],
    concepts: Concepts | None = None,
    class_attributes: str | Path | None = None,
    held_out: ImageDataset | None = None,
    config: StudyConfig | None = None,
    settings: Settings | None = None,
) -> Study:
    """A study of objects that you hold; embeddings, results and report are kept in `folder`.

    `images`: the lens is aligned on the first data set, everything is measured on the second. `concepts`: names, or names
    with their phrases; None: the demo's eighteen. `class_attributes`: a CSV file. `held_out`: labelled images that the
    monitor may learn from. Raises UserError STUDY002 when classes or concepts do not fit, STUDY006 when an object of your own
    has the digest that another one had in `folder`.
    """
    train, test = images
    check_classes(model, train, test, *([] if held_out is None else [held_out]))
    words = concept_set(concepts)
    table = None if class_attributes is None else Path(class_attributes)
    inputs = StudyInputs(
        train=train,
        test=test,
        model=model,
        vlm=vlm,
        concepts=words,
        attributes=attributes_of(table, train, tuple(model.class_names), words.names),
        held_out=held_out,
    )
    study = Study(Path(folder), config or StudyConfig(settings=settings or Settings()), inputs)
    confirm_digests(study.store.place, model, vlm, (train, test, *([] if held_out is None else [held_out])))
    return study


def concept_set(concepts: Concepts | None) -> ConceptSet:
    """Concepts from names, from names with phrases, or the demo's. Raises UserError STUDY002 without one, or for doubles."""
    if isinstance(concepts, ConceptSet):
        return concepts
    if concepts is None:
        return assets.demo_concepts()
    if isinstance(concepts, Mapping):
        listed = tuple(Concept(name, tuple(phrases)) for name, phrases in concepts.items())
    else:
        listed = tuple(
            concept if isinstance(concept, Concept) else Concept(concept, (concept,)) for concept in concepts
        )
    names = [concept.name for concept in listed]
    if not listed or len(set(names)) < len(names) or not all(concept.phrases for concept in listed):
        fix = 'for instance concepts=["wheels", "wings"] or {"wheels": ["wheels", "tyres"]}'
        raise user_error("STUDY002", "concepts need different names and at least one phrase each", fix)
    return ConceptSet(listed)

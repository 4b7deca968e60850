"""From measurements to the record of results.json: runs every analysis and writes down what it says. See docs/results.md."""

from __future__ import annotations

import platform
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from conspect import __version__
from conspect.analysis import evidence, heatmaps, lens_quality, localization, validation
from conspect.core.protocols import Engine, ImageDataset
from conspect.core.statements import statement_of
from conspect.results.data import Asked, Dataset, Environment, TrainImages, Unreadable
from conspect.results.heatmaps import Heatmaps
from conspect.results.localization import ClassFailures, CrossTable, DefaultVerdicts, Failure, Localization, WorstClass
from conspect.results.models import Alignment, ClassQuality, Model, Vlm
from conspect.results.results import Results
from conspect.results.shares import BrokenPair, CulpritCounts, Part, PartCounts
from conspect.results.slices import ConceptLabels
from conspect.results.validation import ExpectedPair, ExpectedPairs, Validation
from conspect.study.blame import blame_results
from conspect.study.config import StudyConfig
from conspect.study.inputs import Inputs
from conspect.study.measuring.measurements import Measurements, Timings
from conspect.study.recording.concepts import Explainer, believed, concept_results, graded, words_rank
from conspect.study.recording.heatmaps import heatmap_results, shown_concepts
from conspect.study.recording.shares import counts_matrix, finite_or_none, share
from conspect.study.recording.slices import concept_label_results, slice_results

WEAKEST_PAIRS, BROKEN_PAIRS = 8, 3


def assemble(config: StudyConfig, inputs: Inputs, measured: Measurements, timings: Timings, engine: Engine) -> Results:
    """Everything the report shows but verification and monitor."""
    classes, confidence = len(inputs.model.class_names), config.settings.confidence
    with timings.stage("concepts"):
        grades = graded(inputs, measured)
        may_speak = believed(grades)
    with timings.stage("heatmaps"):
        shown = shown_concepts(measured, classes)
        maps = heatmap_results(measured, config.settings, shown, engine, believed=may_speak)
    with timings.stage("localization"):
        verdicts = localization.localize(
            measured.labels,
            measured.outputs,
            vlm_on_image=measured.vlm_on_image,
            vlm_on_mapped=measured.vlm_on_mapped,
            refitted=measured.refitted,
        )
        usual = heatmaps.by_group(measured.lens_numerators, measured.labels, classes)
        default, blames = blame_results(inputs, measured, seed=config.settings.seed)
        failures = _failures(verdicts, blames, measured, inputs, usual, may_speak=may_speak)
        located = _localization(
            verdicts,
            default,
            failures,
            maps=maps,
            measured=measured,
            classes=inputs.model.class_names,
            confidence=confidence,
        )
    with timings.stage("validation"):
        validated = _validation(measured, inputs, shown, confidence)
    labelled = concept_label_results(inputs, measured, confidence)
    return Results(
        conspect=__version__,
        asked=_asked(config, inputs),
        dataset=_dataset(inputs.test, measured),
        classes=inputs.model.class_names,
        concepts=concept_results(inputs, grades),
        model=_model(inputs, measured, confidence),
        vlm=_vlm(inputs, measured, confidence, labelled),
        alignment=_alignment(measured, confidence),
        validation=validated,
        heatmaps=maps,
        localization=located,
        unreadable=tuple(Unreadable(split=split, id=name, reason=why) for split, name, why in measured.unreadable),
        environment=Environment(python=platform.python_version(), numpy=np.__version__),
        timings=timings.rounded(),
        slices=slice_results(config, inputs, measured, failures) if config.data.slices else None,
        concept_labels=labelled,
    )


def _asked(config: StudyConfig, inputs: Inputs) -> Asked:
    train = inputs.train
    return Asked(
        data=config.data.kind,
        train=TrainImages(split=train.split, images=len(train), digest=train.digest),
        seed=config.settings.seed,
        confidence=config.settings.confidence,
        binarize_at=config.settings.binarize_at,
    )


def _dataset(test: ImageDataset, measured: Measurements) -> Dataset:
    readable = len(measured.rows)
    return Dataset(name=test.name, split=test.split, images=len(test), readable=readable, digest=test.digest)


def _model(inputs: Inputs, measured: Measurements, confidence: float) -> Model:
    model = inputs.model
    classes = len(model.class_names)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (measured.labels, measured.outputs), 1)
    hits = int(np.trace(confusion))
    return Model(
        name=model.name,
        digest=model.digest,
        preprocessing=model.preprocessing,
        embedding_size=model.embedding_size,
        head="linear" if model.head.is_linear else f"{len(model.head.layers)} layers with ReLUs",
        statement=statement_of(model),
        accuracy=hits / len(measured.labels),
        accuracy_interval=share(hits, len(measured.labels), confidence),
        confusion=counts_matrix(confusion),
        by_class=tuple(
            ClassQuality(
                class_name=name,
                recall=share(confusion[k, k], confusion[k].sum(), confidence),
                precision=share(confusion[k, k], confusion[:, k].sum(), confidence),
            )
            for k, name in enumerate(model.class_names)
        ),
    )


def _vlm(inputs: Inputs, measured: Measurements, confidence: float, labelled: ConceptLabels | None) -> Vlm:
    hits = int((measured.vlm_on_image == measured.labels).sum())
    table, by_vlm, by_lens, unseen = inputs.attributes, None, None, None
    if table is not None:
        by_vlm = lens_quality.pair_agreement(measured.vlm_numerators, measured.labels, table)
        by_lens = lens_quality.pair_agreement(measured.lens_numerators, measured.labels, table)
        if measured.unseen_directions is not None:
            words = table.aligned_to(table.class_names, tuple(c.name for c in inputs.concepts.unseen()))
            probed = measured.vlm_embeddings @ measured.unseen_directions.T
            unseen = lens_quality.pair_agreement(probed, measured.labels, words)
    return Vlm(
        name=inputs.vlm.name,
        digest=inputs.vlm.digest,
        preprocessing=inputs.vlm.preprocessing,
        statement=statement_of(inputs.vlm),
        zero_shot_accuracy=hits / len(measured.labels),
        zero_shot_interval=share(hits, len(measured.labels), confidence),
        pair_agreement=None if by_vlm is None else finite_or_none(by_vlm.mean),
        pair_agreement_unseen_words=None if unseen is None else finite_or_none(unseen.mean),
        pair_agreement_by_class=None if by_vlm is None else tuple(finite_or_none(v) for v in by_vlm.by_class),
        pair_agreement_through_lens=None if by_lens is None else finite_or_none(by_lens.mean),
        within_class_auroc=None if labelled is None else labelled.mean_vlm_within_classes,
        words_rank=words_rank(measured),
    )


def _alignment(measured: Measurements, confidence: float) -> Alignment:
    count = len(measured.labels)
    hits = int((measured.vlm_on_mapped == measured.labels).sum())
    same = int((measured.vlm_on_mapped == measured.vlm_on_image).sum())
    return Alignment(
        r2=float(measured.alignment_quality.r2),
        mean_cosine=float(measured.alignment_quality.mean_cosine),
        zero_shot_accuracy=hits / count,
        zero_shot_interval=share(hits, count, confidence),
        agreement=same / count,
        agreement_interval=share(same, count, confidence),
        fitted_on=measured.alignment.images,
        penalty=float(measured.alignment.penalty),
        r2_by_penalty=tuple((float(penalty), float(r2)) for penalty, r2 in measured.alignment.r2_by_penalty),
        lens_digest=measured.lens.digest,
    )


def _validation(measured: Measurements, inputs: Inputs, shown: NDArray[np.int64], confidence: float) -> Validation:
    classes = inputs.model.class_names
    vlm, lens = measured.vlm_numerators, measured.lens_numerators
    checked = validation.validate(vlm[:, shown], lens[:, shown], measured.labels, len(classes))
    return Validation(
        agreement_by_class=tuple(finite_or_none(v) for v in checked.agreement),
        expected_pairs=_expected_pairs(measured, inputs, confidence),
    )


def _expected_pairs(measured: Measurements, inputs: Inputs, confidence: float) -> ExpectedPairs | None:
    if inputs.attributes is None:
        return None
    classes, names = inputs.model.class_names, inputs.concepts.names
    by_lens = heatmaps.by_group(measured.lens_numerators, measured.labels, len(classes))
    by_vlm = heatmaps.by_group(measured.vlm_numerators, measured.labels, len(classes))
    pairs = validation.expected_pairs(by_lens, inputs.attributes)
    shares = [pair.satisfied / pair.images for pair in pairs if pair.images]
    return ExpectedPairs(
        number=len(pairs),
        mean_share=finite_or_none(np.mean(shares)) if shares else None,
        weakest=tuple(
            ExpectedPair(
                class_name=classes[pair.class_index],
                relevant=names[pair.relevant],
                irrelevant=names[pair.irrelevant],
                through_lens=share(pair.satisfied, pair.images, confidence),
                by_vlm=share(by_vlm[pair.class_index].greater[pair.relevant, pair.irrelevant], pair.images, confidence),
            )
            for index in range(len(classes))
            for pair in [pair for pair in pairs if pair.class_index == index][:WEAKEST_PAIRS]
        ),
    )


def _failures(
    verdicts: list[localization.Localization],
    blames: list[localization.Blame],
    measured: Measurements,
    inputs: Inputs,
    usual: list[heatmaps.HeatmapCounts],
    *,
    may_speak: NDArray[np.bool_],
) -> tuple[Failure, ...]:
    explainer = Explainer.of(inputs, measured, may_speak)
    strengths = measured.lens.strengths(measured.embeddings)
    classes, concepts = inputs.model.class_names, inputs.concepts.names
    probabilities = np.exp(measured.logits - measured.logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    return tuple(
        Failure(
            id=measured.ids[verdict.row],
            label=classes[verdict.label],
            output=classes[verdict.output],
            confidence=round(float(probabilities[verdict.row, verdict.output]), 4),
            verdict=verdict.by_vlm.value,
            refitted_head_verdict=_part(verdict.by_refitted_head),
            vlm_says=classes[int(measured.vlm_on_image[verdict.row])],
            vlm_says_through_lens=classes[int(measured.vlm_on_mapped[verdict.row])],
            blame=blame.culprit.value,
            head_probability=blame.head,
            explanation=explainer.explanation(verdict.row, verdict.label, verdict.output),
            went_wrong=tuple(
                BrokenPair(
                    stronger=concepts[pair.stronger], weaker=concepts[pair.weaker], usual=round(float(pair.usual), 4)
                )
                for pair in evidence.broken_pairs(strengths[verdict.row], usual[verdict.label], limit=BROKEN_PAIRS)
            ),
            strengths=tuple(round(float(v), 5) for v in strengths[verdict.row]),
        )
        for verdict, blame in zip(verdicts, blames, strict=True)
    )


def _part(culprit: localization.Culprit) -> Part:
    return "head" if culprit is localization.Culprit.HEAD else "encoder"


def _localization(
    verdicts: list[localization.Localization],
    default: DefaultVerdicts,
    failures: tuple[Failure, ...],
    *,
    maps: Heatmaps,
    measured: Measurements,
    classes: tuple[str, ...],
    confidence: float,
) -> Localization:
    summary = localization.summarise(verdicts, confidence)
    counts, table = CulpritCounts(**summary.by_vlm), summary.cross_table
    decided = counts.head + counts.encoder
    failing = Counter(failure.label for failure in failures)
    blamed = Counter((failure.label, failure.blame) for failure in failures)
    return Localization(
        failures=summary.failures,
        counts=counts,
        mostly=None if not decided else "encoder" if counts.encoder >= counts.head else "head",
        refitted_head_counts=PartCounts(**summary.by_refitted_head),
        refitted_head_accuracy=float((measured.refitted == measured.labels).mean()),
        cross_table=CrossTable(
            head=PartCounts(**table["head"]),
            encoder=PartCounts(**table["encoder"]),
            undecided=PartCounts(**table["undecided"]),
        ),
        oracle_agreement=summary.oracle_agreement,
        oracle_agreement_interval=summary.oracle_agreement_interval,
        kappa=summary.kappa,
        default=default,
        by_class=tuple(
            ClassFailures(
                class_name=name,
                failures=failing[name],
                counts=CulpritCounts(
                    head=blamed[name, "head"],
                    encoder=blamed[name, "encoder"],
                    undecided=blamed[name, "undecided"],
                ),
            )
            for name in classes
        ),
        worst=_worst_class(failures, maps, classes),
        images=failures,
    )


def _worst_class(failures: tuple[Failure, ...], maps: Heatmaps, classes: tuple[str, ...]) -> WorstClass | None:
    if not failures:
        return None
    name, number = Counter(failure.label for failure in failures).most_common(1)[0]
    taken_for, times = Counter(failure.output for failure in failures if failure.label == name).most_common(1)[0]
    lost = maps.differential_by_label[classes.index(name)].top_pairs
    return WorstClass(
        class_name=name, failures=number, taken_for=taken_for, times=times, lost=lost[0] if lost else None
    )

"""From measurements to the record of results.json: runs every analysis and writes down what it says. See docs/results.md."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.analysis import lens_quality, validation
from conspect.analysis.class_order import order_in
from conspect.analysis.concepts.grades import GradedConcept
from conspect.analysis.diagnosis.images import ImageDiagnosis, count_causes
from conspect.analysis.localization import undivided
from conspect.core.capabilities import FittedOnClasses, omissions_of
from conspect.core.protocols import Engine, ImageDataset, ProgressBar
from conspect.core.spaces import Head
from conspect.core.statements import statement_of
from conspect.core.version import VERSION
from conspect.results.data import Dataset, Environment, StudyChoices, TrainImages, Unreadable
from conspect.results.heatmaps import Heatmaps
from conspect.results.localization import ClassFailures, CrossTable, Failure, Localization, PaperOracle, WorstClass
from conspect.results.models import Alignment, ClassOrder, ClassQuality, Model, MovedClass, Vlm
from conspect.results.results import Results
from conspect.results.shares import CulpritCounts, PartCounts
from conspect.results.slices import ConceptLabels
from conspect.results.validation import ExpectedPair, ExpectedPairs, Validation
from conspect.study.config import StudyConfig
from conspect.study.diagnosing.record import counted_causes, diagnose_study
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.measurements import Measurements, Timings
from conspect.study.recording.concepts import (
    ConceptSample,
    Explainer,
    believed,
    concept_results,
    graded,
    surely_seen,
    words_rank,
)
from conspect.study.recording.failure_groups import failure_group_results
from conspect.study.recording.failures import FailureWriter, verdicts_of
from conspect.study.recording.heatmaps import example_images, heatmap_results, shown_concepts
from conspect.study.recording.orders import ORDERS_FILE, write_orders
from conspect.study.recording.shares import counts_matrix, finite_or_none, share
from conspect.study.recording.slices import concept_label_results, slice_results

WEAKEST_PAIRS = 8
NO_PARTS = (
    "No head was found in {}: its outputs stand for the embeddings, so nothing can be said of head and encoder apart. Left out: "
    "the oracles' verdicts, the swap test, and blame of either part. What is said of the lens and of concepts is said of the "
    "outputs. Where a layer turns embeddings into logits, name it with `head`"
)


def assemble(
    config: StudyConfig,
    inputs: StudyInputs,
    measured: Measurements,
    *,
    table: Path,
    timings: Timings,
    engine: Engine,
    bar: ProgressBar,
) -> Results:
    """Everything the report shows but verification and monitor; writes the table of failures to `table`, and orders beside it."""
    confidence, seed = config.settings.confidence, config.settings.seed
    with timings.stage("concepts"):
        seen = ConceptSample.of(measured)
        grades = graded(inputs, measured, seen)
    with timings.stage("heatmaps"):
        shown = shown_concepts(measured)
        orders = table.parent / ORDERS_FILE
        maps = _heatmaps(
            config,
            inputs,
            measured,
            shown,
            seen=seen,
            may_speak=believed(grades),
            orders=orders,
            engine=engine,
            bar=bar,
        )
    with timings.stage("localization"):
        verdicts = verdicts_of(measured, inputs.model.head)
        diagnosed = diagnose_study(inputs, measured, seed=seed, reported=config.model.reported_accuracy, engine=engine)
        explainer = Explainer.of(inputs, seen, grades)
        writer = FailureWriter(inputs, measured, verdicts, diagnosed.images, explainer, config.data.slices or ())
        failures = writer.write(table, engine=engine, bar=bar)
        located = _localization(
            inputs,
            measured,
            diagnosed.images,
            failures,
            maps=maps,
            grades=grades,
            table=table.name,
            confidence=confidence,
        )
    with timings.stage("validation"):
        validated = _validation(measured, inputs, shown, confidence)
    with timings.stage("failure groups"):
        groups, search = failure_group_results(inputs, measured, seen, grades, confidence=confidence, seed=seed)
    labelled = concept_label_results(inputs, measured, confidence, seed=seed)
    return Results(
        conspect=VERSION,
        asked=_asked(config, inputs),
        dataset=_dataset(inputs.test, measured),
        classes=inputs.model.class_names,
        concepts=concept_results(inputs, grades),
        model=_model(inputs, measured, confidence),
        vlm=_vlm(inputs, measured, confidence, labelled, seen),
        alignment=_alignment(measured, confidence),
        validation=validated,
        heatmaps=maps,
        diagnosis=diagnosed.record,
        localization=located,
        unreadable=tuple(Unreadable(split=split, id=name, reason=why) for split, name, why in measured.unreadable),
        environment=Environment(python=platform.python_version(), numpy=np.__version__),
        timings=timings.rounded(),
        failure_groups=groups,
        failure_search=search,
        slices=slice_results(config, inputs, measured, verdicts) if config.data.slices else None,
        concept_labels=labelled,
    )


def _heatmaps(
    config: StudyConfig,
    inputs: StudyInputs,
    measured: Measurements,
    shown: NDArray[np.int64],
    *,
    seen: ConceptSample,
    may_speak: NDArray[np.bool_],
    orders: Path,
    engine: Engine,
    bar: ProgressBar,
) -> Heatmaps:
    """The heatmaps of the concepts `shown`; writes the order of these in every image to `orders`."""
    classes = inputs.model.class_names
    maps = heatmap_results(
        measured,
        config.settings,
        shown,
        believed=may_speak,
        examples=example_images(measured, seen, classes),
        orders=orders.name,
    )
    advance = bar("orders of concepts", len(measured.test))
    write_orders(orders, measured, shown, classes, engine=engine, progress=advance)
    return maps


def _asked(config: StudyConfig, inputs: StudyInputs) -> StudyChoices:
    train = inputs.train
    return StudyChoices(
        data=config.data.kind,
        train=TrainImages(split=train.split, images=len(train), digest=train.digest, omissions=omissions_of(train)),
        seed=config.settings.seed,
        confidence=config.settings.confidence,
        binarize_at=config.settings.binarize_at,
    )


def _dataset(test: ImageDataset, measured: Measurements) -> Dataset:
    readable = len(measured.test)
    return Dataset(
        name=test.name,
        split=test.split,
        images=len(test),
        readable=readable,
        digest=test.digest,
        omissions=omissions_of(test),
    )


def _model(inputs: StudyInputs, measured: Measurements, confidence: float) -> Model:
    model = inputs.model
    confusion = measured.tallies.heatmaps.confusion
    hits, images = int(np.trace(confusion)), measured.tallies.oracles.images
    return Model(
        name=model.name,
        digest=model.digest,
        preprocessing=model.preprocessing,
        embedding_size=model.embedding_size,
        head=_head(model.head),
        statement=statement_of(model),
        accuracy=hits / images,
        accuracy_interval=share(hits, images, confidence),
        confusion=counts_matrix(confusion),
        by_class=tuple(
            ClassQuality(
                class_name=name,
                recall=share(confusion[k, k], confusion[k].sum(), confidence),
                precision=share(confusion[k, k], confusion[:, k].sum(), confidence),
            )
            for k, name in enumerate(model.class_names)
        ),
        class_order=_class_order(confusion, model.class_names),
    )


def _head(head: Head) -> str:
    if head.is_identity:
        return "none found"
    return "linear" if head.is_linear else f"{len(head.layers)} layers with ReLUs"


def _class_order(confusion: NDArray[np.int64], names: tuple[str, ...]) -> ClassOrder | None:
    order = order_in(confusion)
    sentence = order.sentence(names)
    if sentence is None:
        return None
    return ClassOrder(
        sentence=sentence,
        moved=tuple(MovedClass(class_name=names[label], output=names[output]) for label, output in order.moved),
        assigned_accuracy=order.assigned_accuracy,
        shift=order.shift,
    )


def _vlm(
    inputs: StudyInputs, measured: Measurements, confidence: float, labelled: ConceptLabels | None, seen: ConceptSample
) -> Vlm:
    counts = measured.tallies
    hits, images = counts.oracles.vlm_right, counts.oracles.images
    zero_shot, chance = share(hits, images, confidence), 1 / len(inputs.model.class_names)
    table, by_vlm, by_lens, unseen = inputs.attributes, None, None, None
    if table is not None:
        by_vlm = lens_quality.pair_agreement(counts.ground_truth_by_vlm(), table)
        by_lens = lens_quality.pair_agreement(counts.heatmaps.ground_truth(), table)
        if measured.unseen_directions is not None:
            words = table.aligned_to(table.class_names, tuple(c.name for c in inputs.concepts.unseen()))
            unseen = lens_quality.pair_agreement(counts.unseen_by_vlm(), words)
    return Vlm(
        name=inputs.vlm.name,
        digest=inputs.vlm.digest,
        preprocessing=inputs.vlm.preprocessing,
        statement=statement_of(inputs.vlm),
        zero_shot_accuracy=hits / images,
        zero_shot_interval=zero_shot,
        chance=chance,
        above_chance=zero_shot.low > chance,
        pair_agreement=None if by_vlm is None else finite_or_none(by_vlm.mean),
        pair_agreement_unseen_words=None if unseen is None else finite_or_none(unseen.mean),
        pair_agreement_by_class=None if by_vlm is None else tuple(finite_or_none(v) for v in by_vlm.by_class),
        pair_agreement_through_lens=None if by_lens is None else finite_or_none(by_lens.mean),
        strange_classes=_strange_classes(inputs),
        within_class_auroc=None if labelled is None else labelled.mean_vlm_within_classes,
        words_rank=words_rank(seen),
    )


def _strange_classes(inputs: StudyInputs) -> tuple[str, ...]:
    """Classes of the study that its VLM was not fitted on; none for VLMs that were not fitted on classes."""
    vlm = inputs.vlm
    if not isinstance(vlm, FittedOnClasses):
        return ()
    return tuple(name for name in inputs.model.class_names if name not in vlm.fitted_on_classes)


def _alignment(measured: Measurements, confidence: float) -> Alignment:
    oracles, quality = measured.tallies.oracles, measured.tallies.quality.quality()
    count, hits, same = oracles.images, oracles.mapped_right, oracles.agreed
    return Alignment(
        r2=float(quality.r2),
        mean_cosine=float(quality.mean_cosine),
        zero_shot_accuracy=hits / count,
        zero_shot_interval=share(hits, count, confidence),
        agreement=same / count,
        agreement_interval=share(same, count, confidence),
        fitted_on=measured.alignment.images,
        penalty=float(measured.alignment.penalty),
        r2_by_penalty=tuple((float(penalty), float(r2)) for penalty, r2 in measured.alignment.r2_by_penalty),
        lens_digest=measured.lens.digest,
    )


def _validation(measured: Measurements, inputs: StudyInputs, shown: NDArray[np.int64], confidence: float) -> Validation:
    counts = measured.tallies
    alike = validation.agreement(counts.agreed[:, shown][:, :, shown], counts.heatmaps.confusion.sum(1))
    return Validation(
        agreement_by_class=tuple(finite_or_none(v) for v in alike),
        expected_pairs=_expected_pairs(measured, inputs, confidence),
    )


def _expected_pairs(measured: Measurements, inputs: StudyInputs, confidence: float) -> ExpectedPairs | None:
    if inputs.attributes is None:
        return None
    classes, names = inputs.model.class_names, inputs.concepts.names
    by_lens, by_vlm = measured.tallies.heatmaps.ground_truth(), measured.tallies.ground_truth_by_vlm()
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


def _by_class(
    measured: Measurements, images: Sequence[ImageDiagnosis], classes: tuple[str, ...]
) -> tuple[ClassFailures, ...]:
    """Of each class: its failures by what they are put down to."""
    of_class: dict[int, list[ImageDiagnosis]] = {index: [] for index in range(len(classes))}
    for image in images:
        of_class[int(measured.labels[image.row])].append(image)
    return tuple(
        ClassFailures(class_name=name, failures=len(of_class[k]), causes=counted_causes(count_causes(of_class[k])))
        for k, name in enumerate(classes)
    )


def _localization(
    inputs: StudyInputs,
    measured: Measurements,
    images: Sequence[ImageDiagnosis],
    failures: tuple[Failure, ...],
    *,
    maps: Heatmaps,
    grades: Sequence[GradedConcept],
    table: str,
    confidence: float,
) -> Localization:
    """What the paper's oracles say, and the classes that fail; `images`: what each failure comes from, `table`: where all are."""
    oracles, divided = measured.tallies.oracles, not inputs.model.head.is_identity
    summary = oracles.localization(confidence)
    if not divided:
        summary = undivided(summary.failures)
    by_class = _by_class(measured, images, inputs.model.class_names)
    headlines = frozenset(np.array(inputs.concepts.names)[surely_seen(grades)].tolist())
    cross = summary.cross_table
    return Localization(
        failures=summary.failures,
        paper_oracle=PaperOracle(
            counts=CulpritCounts(**summary.by_vlm),
            refitted_head_counts=PartCounts(**summary.by_refitted_head),
            refitted_head_accuracy=oracles.refitted_right / oracles.images,
            cross_table=CrossTable(
                head=PartCounts(**cross["head"]),
                encoder=PartCounts(**cross["encoder"]),
                undecided=PartCounts(**cross["undecided"]),
            ),
            agreement=summary.oracle_agreement,
            agreement_interval=summary.oracle_agreement_interval,
            kappa=summary.kappa,
        ),
        by_class=by_class,
        worst=_worst_class(measured.tallies.heatmaps.confusion, by_class, maps, headlines),
        images=failures,
        table=table,
        left_out=None if divided else NO_PARTS.format(inputs.model.name),
    )


def _worst_class(
    confusion: NDArray[np.int64], by_class: tuple[ClassFailures, ...], maps: Heatmaps, headlines: frozenset[str]
) -> WorstClass | None:
    """The lost pair is one of two concepts of `headlines`, or none."""
    wrong = confusion - np.diag(np.diag(confusion))
    worst = int(wrong.sum(1).argmax())
    if not wrong.any():
        return None
    taken_for = int(wrong[worst].argmax())
    pairs = maps.differential_by_label[worst].top_pairs
    return WorstClass(
        class_name=by_class[worst].class_name,
        failures=int(wrong[worst].sum()),
        taken_for=by_class[taken_for].class_name,
        times=int(wrong[worst, taken_for]),
        lost=next((pair for pair in pairs if {pair.stronger, pair.weaker} <= headlines), None),
    )

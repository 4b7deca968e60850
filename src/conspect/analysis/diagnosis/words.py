"""A diagnosis in sentences that a reader can check: what is named, what speaks for it, and what cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conspect.analysis.diagnosis.evidence import LAYER_ROUNDED, ModelEvidence
from conspect.analysis.diagnosis.exchange import Exchange
from conspect.analysis.diagnosis.images import Cause, CauseCount
from conspect.analysis.diagnosis.mendings import PLAINLY, Mending
from conspect.analysis.diagnosis.weighing import ModelDiagnosis, Suspect
from conspect.core.chances import p_value_words
from conspect.core.percentages import percent
from conspect.core.protocols import LayerMark

# A correction's gain counts as one at this p-value.
SIGNIFICANT = 0.01
# The labels are called at fault, and the model not, where so large a part of the mistakes look mislabelled one by one.
LEAST_MISLABELLED = 0.25
# A head fitted on training images that breaks a larger part of the test images than this learnt other labels.
MOST_BROKEN = 0.5
# So many groups of classes with the same weights in the head, and names in each, are listed.
MOST_GROUPS, MOST_NAMES = 3, 5


def named_sentence(diagnosis: ModelDiagnosis, counts: Sequence[CauseCount] | None = None) -> str:
    """What is broken, in one sentence; `counts`: what the mistakes are put down to, which the labels must bear out."""
    if diagnosis.suspect is None:
        listed = " or ".join(
            "nothing at all" if suspect is Suspect.NONE else suspect.value for suspect in diagnosis.named
        )
        return f"Not decided between: {listed}. {_why_open(diagnosis)}"
    evidence, mending = diagnosis.evidence, diagnosis.evidence.mending
    if evidence.other_order:
        rows = " (or two rows of its head are exchanged)" if diagnosis.suspect is Suspect.HEAD else ""
        return f"The class names are in another order than the model's outputs{rows}."
    return {
        Suspect.NONE: _nothing(evidence),
        Suspect.LABELS: _labels(counts),
        Suspect.INPUT: _broken_input(evidence, mending),
        Suspect.ENCODER: _broken_encoder(evidence),
        Suspect.HEAD: "The head looks broken.",
    }[diagnosis.suspect]


def _nothing(evidence: ModelEvidence) -> str:
    """That nothing was found, and where there is nothing to find it by."""
    if evidence.too_close:
        return (
            "No sign of a broken part, but the norms fit these images as if they had been estimated again on them: their records "
            "say nothing."
        )
    return "No sign of a broken part."


def _broken_input(evidence: ModelEvidence, mending: Mending | None) -> str:
    """What is wrong with the input: what mends it, and, where nothing else does, what does not arrive."""
    known = (
        [] if evidence.preparation is None or (mending and mending.name != PLAINLY) else [*evidence.preparation.lost]
    )
    known += [mending.sentence] if mending is not None else []
    return f"The input pipeline looks broken{': ' if known else ''}{'; '.join(known)}."


def _broken_encoder(evidence: ModelEvidence) -> str:
    if evidence.not_finite:
        images = f"{evidence.not_finite:,} image{'' if evidence.not_finite == 1 else 's'}"
        return f"The encoder looks broken: for {images} its embedding is NaN or infinite."
    if evidence.is_unsteady:
        return "The encoder looks broken: the same image gets another embedding beside other images."
    row = " One row of the head stands out too: the head may be broken as well." if evidence.row_stands_out else ""
    return f"The encoder looks broken{_begins(evidence)}.{row}"


def _begins(evidence: ModelEvidence) -> str:
    """Where norms begin to depart from their records; nothing where none does."""
    first = evidence.beginning
    if first is None:
        return ""
    if evidence.begins_at_input:
        return (
            ", or what is done to images before it: its norms depart from their records from the first one on, layer "
            f"{first.name!r}"
        )
    return f": its norms depart from their records from layer {first.name!r} on"


def _labels(counts: Sequence[CauseCount] | None) -> str:
    """That the labels are at fault, as far as the mistakes bear it out; where they were not looked at, the evidence alone."""
    mistakes = sum(counted.count for counted in counts or ())
    mislabelled = sum(counted.count for counted in counts or () if counted.cause is Cause.LABEL)
    if mislabelled >= LEAST_MISLABELLED * mistakes:
        return "The labels look at fault, not the model."
    look = "looks" if mislabelled == 1 else "look"
    return (
        f"Some labels may be wrong, but only {mislabelled:,} of {mistakes:,} mistakes {look} mislabelled: "
        "the model is not cleared."
    )


def _why_open(diagnosis: ModelDiagnosis) -> str:
    evidence = diagnosis.evidence
    if {Suspect.HEAD, Suspect.ENCODER} & set(diagnosis.named):
        if not evidence.divided:
            return "No head was found in this model, so that it cannot be told from the encoder."
        if evidence.too_close:
            return (
                "The norms fit these images as closely as if they had been estimated again on them, so their records say "
                "nothing; the accuracy that the model once had (reported_accuracy) or an earlier version (--sound) would tell."
            )
        if evidence.departure is None:
            return "The encoder keeps no records of its training; an earlier version of the model would tell (--sound)."
    if evidence.beginning is not None and {Suspect.INPUT, Suspect.ENCODER} <= set(diagnosis.named):
        return "What the encoder's layers see is other than in training, and nothing that was tried mends it."
    return "The evidence below does not separate them."


def evidence_sentences(evidence: ModelEvidence, class_names: Sequence[str]) -> tuple[str, ...]:
    """What is known, one sentence for each kind of evidence."""
    undivided = "No head was found: the outputs stand for the embeddings, and another head below is one on the outputs."
    sentences = [*([] if evidence.divided else [undivided]), _head(evidence, class_names), _norms(evidence)]
    if evidence.is_unsteady:
        sentences.append(
            f"The same image gets another embedding beside other images ({percent(evidence.unsteady, 0)} of the deviation over "
            "images): dropout, noise or a norm of the batch is left on."
        )
    if evidence.marked is not None:
        sentences.append(_mark(evidence.marked))
    if evidence.is_clipped:
        sentences.append(
            f"{percent(evidence.clipped, 0)} of the embeddings' values lie exactly at the largest or smallest of their "
            "dimension: they are clipped. If accuracy was lost, look there."
        )
    if evidence.preparation is not None:
        sentences += [f"{clause[0].upper()}{clause[1:]}." for clause in evidence.preparation.lost]
    if evidence.mendings:
        sentences.append(_input(evidence))
    order = evidence.order.sentence(class_names)
    sentences.append("The order of the class names fits." if order is None else order[0].upper() + order[1:] + ".")
    if evidence.labels is not None:
        sentences.append(
            f"About {evidence.labels.expected:.0f} of {len(evidence.labels.wrong):,} labels are expected to be wrong."
        )
        sentences += [
            f"No image is labelled {class_names[label]!r}, but every judge of the labels sees it in {images:,}."
            for label, images in evidence.labels.unlabelled
        ]
    if evidence.reported is not None:
        sentences.append(_reported(evidence, evidence.reported))
    return tuple(sentences)


def not_finite_sentence(images: int) -> tuple[str, ...]:
    """What is said where the model gives NaN or infinity; nothing where it does not."""
    if not images:
        return ()
    said = f"For {images:,} image{'' if images == 1 else 's'} an embedding is NaN or infinite"
    could = "it could be read and is left out" if images == 1 else "they could be read and are left out"
    return (f"{said}: {could}; a sound model gives a number for every image.",)


def exchange_sentence(exchange: Exchange) -> str:
    """`fixes 22 images and breaks 13 (p = 0.09)`."""
    return f"fixes {exchange.fixes:,} images and breaks {exchange.breaks:,} ({p_value_words(exchange.p_value)})"


def _head(evidence: ModelEvidence, class_names: Sequence[str]) -> str:
    head = evidence.head
    text = f"A corrected head {exchange_sentence(head.corrected)}"
    if head.corrected.net < -MOST_BROKEN:
        text += (
            ": what it learnt on the training images is not what the labels of the test images say. Compare the labels of the "
            "two splits"
        )
    elif head.corrected.p_value >= SIGNIFICANT:
        text += ": no head fault that another head would mend"
    elif head.biases.p_value < SIGNIFICANT:
        text += f"; other biases alone {exchange_sentence(head.biases)}"
        if head.unbiased.p_value < SIGNIFICANT:
            text += f"; the head without any biases {exchange_sentence(head.unbiased)}"
    shape = np.sort(head.shape)
    if len(shape) > 3 and head.corrected.p_value < SIGNIFICANT and shape[-1] > 1.5 * shape[-3]:
        text += (
            f"; of all classes {class_names[int(head.shape.argmax())]!r} is furthest from where another head puts it"
        )
    marks = [f"{percent(head.zeros, 0)} of the head's weights are exactly 0"] if evidence.head_pruned else []
    marks += ["the head's weights are rounded"] if evidence.head_rounded else []
    marks += [_same_rows(group, class_names) for group in head.same_rows[:MOST_GROUPS]]
    return ". ".join([text, *(mark[0].upper() + mark[1:] for mark in marks)]) + "."


def _same_rows(classes: Sequence[int], class_names: Sequence[str]) -> str:
    """Of classes that share one row of the head."""
    names = [repr(class_names[label]) for label in classes]
    listed = (
        names
        if len(names) <= MOST_NAMES
        else [*names[: MOST_NAMES - 1], f"{len(names) - MOST_NAMES + 1:,} more classes"]
    )
    return f"{', '.join(listed[:-1])} and {listed[-1]} have the same weights in the head, so that it cannot tell them apart"


def _norms(evidence: ModelEvidence) -> str:
    if evidence.departure is None:
        return "The encoder keeps no records of its training (no batch norms that could be read): nothing to compare it with."
    if evidence.reestimated:
        return (
            f"The batch norms fit these images to {evidence.departure:.3f} deviations, closer than training leaves them: "
            "they were estimated again, so their records say nothing."
        )
    first = evidence.beginning
    if evidence.too_close:
        return (
            f"The batch norms fit these images to {evidence.closest:.3f} deviations, as closely as if they had been estimated "
            "again on images like them: that clears nothing."
        )
    if first is None:
        return f"The batch norms are within {evidence.departure:.2f} deviations of their records, as those of sound networks."
    place = [departure.name for departure in evidence.departures].index(first.name) + 1
    where = (
        "so the input, or the layers before it, are other than in training"
        if evidence.begins_at_input
        else "those before it do not"
    )
    return (
        f"The batch norms depart from their records by up to {evidence.departure:.2f} deviations, from layer "
        f"{first.name!r} on ({place} of {len(evidence.departures)}): {where}."
    )


def _mark(mark: LayerMark) -> str:
    """Of the first layer of the encoder that is pruned or rounded."""
    if mark.repeated > mark.zeros and mark.repeated > LAYER_ROUNDED:
        return (
            f"The weights of layer {mark.name!r} are rounded: 16 values make up {percent(mark.repeated, 0)} of them. If accuracy "
            "was lost, look there."
        )
    pruned = f"The weights of layer {mark.name!r} are pruned: {percent(mark.zeros, 0)} are exactly 0"
    return f"{pruned}. If accuracy was lost, look there."


def _reported(evidence: ModelEvidence, reported: float) -> str:
    """How much is lost against the reported accuracy, and how much of that a corrected head restores."""
    accuracy = evidence.head.accuracy
    if evidence.lost == 0:
        said = f"Nothing is lost for sure against the reported accuracy of {percent(reported)}"
        return f"{said}: {percent(accuracy)} are right."
    return (
        f"Against the reported accuracy of {percent(reported)} the model loses {100 * (reported - accuracy):.1f} points; a "
        f"corrected head restores {percent(evidence.restored, 0)} of them: close to all where the head alone is broken, less "
        "where the encoder is."
    )


def _input(evidence: ModelEvidence) -> str:
    mending = evidence.mending
    less = next((change for change in evidence.mendings if change.is_named), None)
    if mending is None and less is not None and not evidence.other_order:
        but = (
            "it puts the first norm off its record, where it is without it"
            if less.off_record
            else "another head helps more"
        )
        return f"A change of the input helps ({less.sentence}), but {but}: it makes up for something else."
    if mending is None:
        return (
            f"None of {len(evidence.mendings)} usual changes of the input makes the model better by two points or more."
        )
    return f"A change of the input helps: {mending.sentence} (it {exchange_sentence(mending.exchange)})."


def headline(diagnosis: ModelDiagnosis, failures: int, counts: Sequence[CauseCount]) -> str:
    """The first sentences of a report: `329 mistakes. No sign of a broken part. 1 looks mislabelled, 24 ambiguous ...`."""
    words = {
        Cause.LABEL: ("looks mislabelled", "look mislabelled"),
        Cause.AMBIGUOUS: ("is ambiguous", "are ambiguous"),
        Cause.HEAD: ("is put down to the head", "are put down to the head"),
        Cause.ENCODER: ("is put down to the encoder", "are put down to the encoder"),
        Cause.INPUT: ("is put down to the input pipeline", "are put down to the input pipeline"),
        Cause.HARD: ("is hard for everybody", "are hard for everybody"),
        Cause.UNDECIDED: ("stays undecided", "stay undecided"),
    }
    parts = (Cause.HEAD, Cause.ENCODER, Cause.INPUT)
    said = [
        f"{counted.count:,} {words[counted.cause][counted.count != 1]}"
        for counted in counts
        if counted.count or counted.cause not in parts
    ]
    first = f"{failures:,} mistake{'' if failures == 1 else 's'}. {named_sentence(diagnosis, counts)}"
    return first if not failures else f"{first} {', '.join(said[:-1])} and {said[-1]}."

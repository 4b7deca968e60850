"""What the explorer is told: one record for each answer, the same over HTTP and from `conspect explore --ask`."""

from __future__ import annotations

from enum import Enum

import msgspec

from conspect.results.shares import CountInterval
from conspect.results.verification import Property


class StudyState(Enum):
    """Whether what is shown is the last word: a finished run, a run under way, or inputs that changed since."""

    FINISHED = "finished"
    RUNNING = "running"
    STALE = "stale"


class CurrentState(msgspec.Struct, frozen=True):
    """What is on disk beside what is shown. `digest`: of the run that is shown; `message`: what is wrong, and the remedy."""

    state: StudyState
    digest: str
    message: str = ""


class ChangedSide(Enum):
    """An image that only one of two models gets right: the later one, or the earlier one."""

    FIXED = "fixed"
    BROKEN = "broken"


class ImageSet(Enum):
    """Which images a list is of, by what the model made of them."""

    ALL = "all"
    RIGHT = "right"
    WRONG = "wrong"


class Order(Enum):
    """How a list of images is sorted."""

    STRONGEST = "strongest"
    WEAKEST = "weakest"
    CONFIDENT = "confident"
    DOUBTFUL = "doubtful"
    FILE = "file"


class ConceptEntry(msgspec.Struct, frozen=True):
    """A concept of the study: its phrases and whether the lens was found to see it (None: not graded)."""

    name: str
    phrases: tuple[str, ...]
    grade: str | None = None
    reasons: tuple[str, ...] = ()


class Sentence(msgspec.Struct, frozen=True):
    """A finding in words, and the part of the explorer that shows what stands behind it."""

    text: str
    view: str | None = None


class CountedPair(msgspec.Struct, frozen=True):
    """A pair of concepts that failures lose, "stronger > weaker" as it is in right images, and in how many."""

    pair: str
    failures: int


class FoundGroup(msgspec.Struct, frozen=True):
    """A group of failures that was found: in words, how many failures it has, and the ids of the first hundred."""

    text: str
    failures: int
    images: tuple[str, ...]


class ProvedShare(msgspec.Struct, frozen=True):
    """Of `properties`, those `proved` over regions that hold this share, `coverage` in 0..1, of the images of their class."""

    coverage: float
    proved: int
    properties: int


class StudyOverview(msgspec.Struct, frozen=True):
    """What the first screen shows. `accuracy` and its interval are shares in 0..1; `compared`: the earlier study's name;
    `has_files`: images are files, which the file manager can show; `proved`: the headline of its proofs, where it has some.
    """

    name: str
    state: StudyState
    model: str
    lens: str
    dataset: str
    split: str
    images: int
    failures: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    classes: tuple[str, ...]
    images_of_class: tuple[int, ...]
    concepts: tuple[ConceptEntry, ...]
    sentences: tuple[Sentence, ...]
    groups: tuple[FoundGroup, ...]
    diagnoses: tuple[str, ...]
    slices: dict[str, tuple[str, ...]]
    tags: tuple[str, ...]
    has_monitor: bool
    has_properties: bool
    digest: str
    broken_pairs: tuple[CountedPair, ...] = ()
    verdicts: dict[str, int] = {}
    compared: str | None = None
    has_files: bool = False
    proved: ProvedShare | None = None


class Confusion(msgspec.Struct, frozen=True):
    """Counts of the filtered images `[true class][output]`, and what each class's row adds up to."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class ImageRow(msgspec.Struct, frozen=True):
    """An image in a list. `margin`: strength of the pair's first concept minus the second's, or a concept's strength."""

    row: int
    id: str
    label: str
    output: str
    confidence: float
    diagnosis: str | None
    margin: float | None
    tags: tuple[str, ...] = ()
    monitor: str | None = None


class ImageList(msgspec.Struct, frozen=True):
    """A range of the images that pass a filter. `satisfying`: of all that pass, those in which the pair holds."""

    total: int
    offset: int
    images: tuple[ImageRow, ...]
    satisfying: int | None = None


class HeatmapCell(msgspec.Struct, frozen=True):
    """Share of images in which the row's concept is stronger than the column's, with its interval; None without images."""

    value: float | None
    low: float | None
    high: float | None
    count: int


class HeatmapView(msgspec.Struct, frozen=True):
    """Counts "row's concept is stronger" `[concept][concept]` over `images` images that pass a filter, and the `intervals` of
    the shares that these are, each count once.

    `sampled_of`: so many pass, too many to count at once, and `images` of them were drawn; None: all are counted.
    """

    concepts: tuple[str, ...]
    greater: tuple[tuple[int, ...], ...]
    images: int
    intervals: tuple[CountInterval, ...]
    unseen: tuple[str, ...] = ()
    sampled_of: int | None = None


class Separation(msgspec.Struct, frozen=True):
    """How well a strength or margin tells one group of images from the rest: area under the ROC curve, 0.5 for not at all.

    `p`: of chance alone, corrected for the number of groups; `beyond_chance`: it is small enough to believe the difference.
    """

    group: str
    auroc: float
    low: float
    high: float
    images: int
    others: int
    p: float
    beyond_chance: bool


class LensAnswer(msgspec.Struct, frozen=True):
    """What the lens says to a concept or pair in plain words.

    `trust`: "seen", "partly", "not checked" (words of nobody's list, which may mean nothing to the lens) or "not seen".
    `bins` and `counts_right`, `counts_wrong`: a histogram of the strength (or margin) over all images.
    """

    question: str
    first: str
    second: str | None
    in_study: bool
    trust: str
    trust_reasons: tuple[str, ...]
    by_class: tuple[HeatmapCell, ...]
    classes: tuple[Separation, ...]
    failures: tuple[Separation, ...]
    best: tuple[ImageRow, ...]
    worst: tuple[ImageRow, ...]
    bins: tuple[float, ...]
    counts_right: tuple[int, ...]
    counts_wrong: tuple[int, ...]


class Opinion(msgspec.Struct, frozen=True):
    """What one witness says an image shows: the label, the model, the lens, a refitted head, the nearest images."""

    witness: str
    says: str
    confidence: float | None
    agrees_with_label: bool


class Neighbour(msgspec.Struct, frozen=True):
    """One of the nearest images in the model's own space. `cosine`: 1 is the same direction."""

    row: int
    id: str
    label: str
    output: str
    cosine: float


class Strength(msgspec.Struct, frozen=True):
    """A concept on one image: cosine, and its percentile among images of the label and of the output (0..100)."""

    concept: str
    strength: float
    percentile_in_label: float | None
    percentile_in_output: float | None
    grade: str | None = None


class MonitorOpinion(msgspec.Struct, frozen=True):
    """What the monitor says of the output: accept, uncertain or suspect, and why."""

    verdict: str
    suspicion: float
    reasons: tuple[str, ...]


class ComparedImages(msgspec.Struct, frozen=True):
    """Percentiles are among `images` images: all `of` them, or so many evenly taken where more would take too long."""

    images: int
    of: int


class ImagePage(msgspec.Struct, frozen=True):
    """All that is known of one image. `in_label`, `in_output`: what its concepts' percentiles are among; `file`: where it lies,
    None where it is no file of its own.
    """

    image: ImageRow
    logits: tuple[float, ...]
    probabilities: tuple[float, ...]
    diagnosis_sentence: str | None
    explanation: str | None
    opinions: tuple[Opinion, ...]
    strengths: tuple[Strength, ...]
    neighbours_right: tuple[Neighbour, ...]
    neighbours_wrong: tuple[Neighbour, ...]
    monitor: MonitorOpinion | None
    metadata: dict[str, str]
    in_label: ComparedImages
    in_output: ComparedImages
    file: str | None = None


class ShownFiles(msgspec.Struct, frozen=True):
    """Files of images. `shown`: the file manager was opened on them; `why_not`: else why not, and `paths` say where they are."""

    shown: bool
    why_not: str | None
    paths: tuple[str, ...]


class Decision(Enum):
    """What somebody decided about a suspect label."""

    KEEP = "keep"
    RELABEL = "relabel"
    DROP = "drop"


class LabelDecision(msgspec.Struct, frozen=True):
    """A decision: keep the label, give another, or drop the image."""

    id: str
    decision: Decision
    label: str | None = None


class SuspectLabel(msgspec.Struct, frozen=True):
    """An image whose label the witnesses speak against, and what was decided. `score`: 0 to 1, higher = more suspect."""

    image: ImageRow
    score: float
    suggested: str
    opinions: tuple[Opinion, ...]
    decision: LabelDecision | None = None


class Recount(msgspec.Struct, frozen=True):
    """The study's figures as they would be with the decisions: what was decided, images left, accuracy and failures."""

    kept: int
    relabelled: int
    dropped: int
    images: int
    failures: int
    accuracy: float
    accuracy_before: float


class SuspectQueue(msgspec.Struct, frozen=True):
    """The queue of suspect labels, most suspect first, and the figures with the decisions so far."""

    total: int
    offset: int
    suspects: tuple[SuspectLabel, ...]
    recount: Recount


class Done(msgspec.Struct, frozen=True):
    """A change was kept; `images`: how many it is of."""

    images: int


class SpecificationProblem(msgspec.Struct, frozen=True):
    """A mistake in a text, or something odd (`warning`); line and column count from 1."""

    code: str
    problem: str
    fix: str
    line: int | None
    column: int | None
    warning: bool


class PropertyExplanation(msgspec.Struct, frozen=True):
    """What a property claims, how often and where, in plain English."""

    name: str
    line: int | None
    claim: str
    quantifier: str
    region: str
    notes: tuple[str, ...]


class CheckedText(msgspec.Struct, frozen=True):
    """A specification as it stands: what is wrong with it, and what it says where nothing is."""

    problems: tuple[SpecificationProblem, ...]
    explanations: tuple[PropertyExplanation, ...]


class Verdicts(msgspec.Struct, frozen=True):
    """A verdict for each property, in the order of the text."""

    properties: tuple[Property, ...]

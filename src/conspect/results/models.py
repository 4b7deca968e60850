"""The model, the VLM and the alignment between their spaces: how good each is."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from conspect.core.statements import Statement
from conspect.results.shares import Count, Counts, Fraction, Share

Cosine = Annotated[float, Meta(ge=-1 - 1e-9, le=1 + 1e-9)]


class ClassQuality(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Recall and precision of one class."""

    class_name: str = field(name="class")
    recall: Share
    precision: Share


class MovedClass(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Images of class `class` get output `output`: a wrong name, not a mistake."""

    class_name: str = field(name="class")
    output: str


class ClassOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model's classes are named in another order than the data's. `assigned_accuracy`: with the names that fit;
    `shift`: output minus label where it is the same for all, as for labels off by one.
    """

    sentence: str
    moved: tuple[MovedClass, ...]
    assigned_accuracy: Fraction
    shift: int | None


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model under study. `confusion [true class, output]`; `head`: "linear", how many layers with ReLUs, or "none found".

    `class_order`: only where the images show that the names stand in another order.
    """

    name: str
    digest: str
    preprocessing: str
    embedding_size: Count
    head: str
    statement: Statement
    accuracy: Fraction
    accuracy_interval: Share
    confusion: Counts
    by_class: tuple[ClassQuality, ...]
    class_order: ClassOrder | None = None


class CaptionRetrieval(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of so many photographs of `pack`, those whose caption is the nearest of all, or among the five nearest, and how often
    that would be by chance. `median_rank`: 1 = the right caption is the nearest.
    """

    pack: str
    images: Count
    captions: Count
    first: Share
    in_five: Share
    chance: Fraction
    chance_in_five: Fraction
    median_rank: float


class Vlm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The VLM: zero-shot accuracy of its own image embeddings; pair agreement, null without a class-attribute table.

    `pair_agreement`: share of (image, relevant concept, irrelevant concept) in the right order; also with words that the
    VLM was not fitted on, by class, and read off the model's embedding. `above_chance`: the lower end of `zero_shot_interval`
    lies above `chance`, what guessing among the classes gives; where it does not, nothing said in its words should be believed.
    `caption_retrieval_left_out`: why there is none.
    """

    name: str
    digest: str
    preprocessing: str
    statement: Statement
    zero_shot_accuracy: Fraction
    zero_shot_interval: Share
    chance: Fraction | None = None
    above_chance: bool = True
    pair_agreement: Fraction | None = None
    pair_agreement_unseen_words: Fraction | None = None
    pair_agreement_by_class: tuple[Fraction | None, ...] | None = None
    pair_agreement_through_lens: Fraction | None = None
    strange_classes: tuple[str, ...] = ()
    within_class_auroc: Fraction | None = None
    words_rank: Count
    caption_retrieval: CaptionRetrieval | None = None
    caption_retrieval_left_out: str | None = None


class Alignment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The affine map from the model's space into the VLM's, measured on test images.

    `r2_by_penalty`: pairs (relative penalty, cross-validated R2). `agreement`: both zero-shot answers are the same.
    """

    r2: float
    mean_cosine: Cosine
    zero_shot_accuracy: Fraction
    zero_shot_interval: Share
    agreement: Fraction
    agreement_interval: Share
    fitted_on: Count
    penalty: float
    r2_by_penalty: tuple[tuple[float, float], ...]
    lens_digest: str

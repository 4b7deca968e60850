"""Specifications mined from the images of a study whose answers are known."""

import pytest

from conspect.core.diagnostics import UserError
from conspect.language import check_text, write
from conspect.language.syntax.tree import Property
from conspect.study import Study
from conspect.verification.queries.vocabulary import vocabulary_of


def test_mined_predicates_hold_on_the_images_they_were_mined_on(finished: Study) -> None:
    subject = finished.verification_subject()
    specification = finished.mined_specification(share=0.9, criterion="rate")
    images = subject.splits["val"]
    strengths = subject.lens.strengths(images.embeddings)
    mined = {p.name for p in specification.items if isinstance(p, Property)}
    expected = set()
    for c, class_name in enumerate(subject.class_names):
        own = strengths[images.labels == c]
        for i, left in enumerate(subject.concept_names):
            for j, right in enumerate(subject.concept_names):
                if len(own) and (own[:, i] > own[:, j]).mean() >= 0.9:
                    expected.add(f"{class_name}_{left}_over_{right}")
    assert mined == expected
    assert mined


def test_mined_specifications_read_back_without_a_mistake(finished: Study) -> None:
    text = write(finished.mined_specification(share=0.9, criterion="rate"), "house")
    assert check_text(text, vocabulary_of(finished.verification_subject()), "mined.cspec").errors == ()


def test_the_corrected_bound_asks_for_more_images_than_the_observed_share(finished: Study) -> None:
    with pytest.raises(UserError, match="SPEC412"):
        finished.mined_specification(share=0.999, criterion="bound")

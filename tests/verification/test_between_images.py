"""Counterexamples on lines between images, where no image inside a span or band refutes a property."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from conspect.checker import check
from conspect.language import check_text
from conspect.language.syntax.tree import Implies, Predict, Stronger
from conspect.verification.certificates.writing import bundle, sealed
from conspect.verification.images.exact_truth import ExactTruth
from conspect.verification.queries.formula_table import tabulate
from conspect.verification.queries.model import EmbeddingSplit, VerifyOptions
from conspect.verification.queries.planning import names_of
from conspect.verification.regions.between import ROOM, STEPS, BetweenImages
from conspect.verification.regions.focus import FocusRegions
from conspect.verification.regions.membership import Membership
from conspect.verification.regions.readout_regions import ReadoutRegions
from conspect.verification.verify import verify
from tests.verification.subjects import plane


@pytest.mark.parametrize("shape", ["span", "band"])
def test_an_embedding_between_images_refutes_where_no_image_does(shape):
    subject = plane()
    test = subject.splits["test"]
    # Of the images that are measured only those remain that satisfy the property: no image can refute it.
    kept = test.embeddings[:, 0] > 1.4 * test.embeddings[:, 1]
    kept |= np.asarray(test.labels) == 1
    split = EmbeddingSplit(test.embeddings[kept], test.labels[kept], tuple(np.array(test.ids)[kept].tolist()))
    subject = replace(subject, splits={**subject.splits, "test": split})
    text = f"property p: for all x in focus(east, shape = {shape}, coverage = 90%): right > up"
    (result,) = verify(check_text(text).require(), subject, VerifyOptions())
    assert result.verdict.outcome == "violated"
    assert result.decided_by == "an embedding inside refutes it"
    assert result.witness is not None
    assert result.witness.image_id is None
    right, up = result.witness.embedding.tolist()
    assert right <= up
    body = json.loads(json.dumps(bundle(subject, list(result.claims))))
    (claim,) = check.check_data(sealed(body))
    assert claim.verdict == "violated"


@pytest.mark.parametrize("shape", ["span", "band"])
def test_lines_end_where_they_leave_the_region_and_whole_ones_at_their_image(shape):
    subject = plane()
    options = VerifyOptions()
    readouts = ReadoutRegions(FocusRegions(subject, options), options)
    names = names_of(subject)
    table = tabulate(Implies(Predict("east"), Stronger("right", "up")), names)
    place = readouts.place("east", table, shape).at(Fraction(1), "")
    between = BetweenImages(readouts, place, "east", ExactTruth(subject))
    data = np.asarray(subject.splits["test"].embeddings, dtype=np.float64)
    train = subject.splits["train"]
    right = (np.asarray(train.labels) == 0) & (train.embeddings[:, 0] > 0)
    start = between._middle()
    assert start == pytest.approx(train.embeddings[right].mean(axis=0))
    read = readouts.differences if shape == "band" else lambda kinds, z: readouts.space(kinds).readouts(z)

    def sizes(embeddings):
        return place.region.sizes(read(place.kinds, embeddings))

    assert sizes(start[None, :])[0] < 1e-6
    ends = between._ends(start, data)
    outside = sizes(data) > 1 - ROOM
    assert 10 < outside.sum() < len(data) - 10
    assert ends[~outside] == pytest.approx(data[~outside], abs=1e-12)
    assert (sizes(ends) <= 1 - ROOM + 1e-12).all()
    way = (data - start)[outside]
    share = np.linalg.norm(ends[outside] - start, axis=1) / np.linalg.norm(way, axis=1)
    assert ((share > 0) & (share < 1)).all()
    assert np.allclose(ends[outside], start + share[:, None] * way, atol=1e-9)
    assert (sizes(start + (share + 2.0**-STEPS)[:, None] * way) > 1 - ROOM).all()


def test_no_more_than_a_dozen_embeddings_of_each_start_are_checked_exactly(monkeypatch):
    subject = plane()
    options = VerifyOptions()
    readouts = ReadoutRegions(FocusRegions(subject, options), options)
    formula = Stronger("right", "up")
    place = readouts.place("east", tabulate(formula, names_of(subject)), "span").at(Fraction(3), "")
    between = BetweenImages(readouts, place, "east", ExactTruth(subject))
    asked = []

    def outside(self, place, readouts, embedding):
        asked.append(embedding)
        return False

    monkeypatch.setattr(Membership, "holds", outside)
    members = readouts.members("test", "east")
    assert between.refuting(formula, members, "test") is None
    assert len(asked) == (1 + 3) * 12
    # With no image inside, lines begin in the middle alone.
    asked.clear()
    nothing = replace(place, measured=np.full(len(place.measured), 3.0))
    assert BetweenImages(readouts, nothing, "east", ExactTruth(subject)).refuting(formula, members, "test") is None
    assert len(asked) == 12

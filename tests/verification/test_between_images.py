"""Counterexamples on lines between images, where no image inside a span or band refutes a property."""

import json
from dataclasses import replace

import numpy as np
import pytest

from conspect.checker import check
from conspect.language import check_text
from conspect.verification.certificates.writing import bundle, sealed
from conspect.verification.queries.model import EmbeddingSplit, VerifyOptions
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

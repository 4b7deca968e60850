"""Neighbourhoods of images: one certificate for many images, counted again by the checker in integers."""

import json
from fractions import Fraction

import numpy as np
import pytest

from conspect.bench.forging.mutations_near import retied
from conspect.bench.workloads.random_properties import make_job, subject_with_images
from conspect.checker import check
from conspect.language.syntax.tree import Implies, Or, Predict, Stronger
from conspect.verification.certificates.encoding import encoded
from conspect.verification.certificates.writing import bundle, sealed

IMAGES, WIDTH = 40, 5
READS = {"class": 0, "concepts": [0, 1, 2, 3], "strengths": "relative"}
RADIUS = Fraction(3, 4)
# Of `predict(x, c1) implies k1 > k2` denied: c1 above c0 and c2 (literals 0 and 1), and k2 at least k1 (literal 2).
SLOPES = np.array([[1.0, 0, 0, 0, 0], [1.0, -1, 0, 0, 0], [0, 0, -1.0, 1, 0]])
ALTERNATIVES = [[[2, 1]], [[0, 1]], [[1, 3], [2, 2]], [[0, 5], [1, 1], [2, 7]]]


def floats_closed(centres, factor, radius):
    """Around which images a choice of multipliers leaves no room, in floats."""
    closed = np.zeros(len(centres), dtype=bool)
    for choice in ALTERNATIVES:
        slope = sum(weight * SLOPES[literal] for literal, weight in choice)
        closed |= centres @ slope + float(radius) * np.linalg.norm(factor.T @ slope) < 0
    return closed


@pytest.fixture(scope="module")
def parts():
    generator = np.random.default_rng(4)
    subject = subject_with_images(generator, images=12)
    return subject, 2 * generator.normal(size=(IMAGES, WIDTH)), 0.4 * generator.normal(size=(WIDTH, WIDTH))


@pytest.fixture
def body(parts):
    subject, centres, factor = parts
    formula = make_job(subject, Implies(Predict("c1"), Stronger("k1", "k2")), "p").table
    return certificate(subject, centres, factor, formula, [ALTERNATIVES, None, []])


def certificate(subject, centres, factor, formula, tree, **changes):
    body = json.loads(json.dumps(bundle(subject, [])))
    region = {"shape": "near", "centre": encoded(centres), "factor": encoded(factor), "reads": READS}
    body["regions"].append(region | {"images": len(centres)})
    place = check.read_region(body["regions"][0], check.Model(body, check.Budget()))
    claim = {
        "changes": "ordinary", "class": "c0", "file": "", "formula": [list(node) for node in formula], "kind": "near",
        "images": "0" * 64, "level": "1/20", "name": "p", "near": "9/10", "proved": 0, "radius": str(RADIUS), "reads": READS,
        "refutations": [], "refuted": 0, "region": 0, "region_digest": place.digest(RADIUS, None), "share": "9/10",
        "split": "test", "statement": "", "tree": tree, "trials": len(centres), "verdict": "unknown",
    }  # fmt: skip
    body["claims"].append(claim | changes)
    return retied(body)


def accepts(body):
    return check.check_data(sealed(retied(body)))


def test_as_many_images_are_closed_as_floats_say_where_nothing_is_near_a_tie(body, parts):
    _, centres, factor = parts
    closed = int(floats_closed(centres, factor, RADIUS).sum())
    assert 0 < closed < IMAGES
    body["claims"][0]["proved"] = closed
    (claim,) = accepts(body)
    assert f"proved around {closed} of {IMAGES} images" in claim.statement
    assert "for all y near x (changes = ordinary, share = 9/10): predict(y, c1) implies k1 > k2" in claim.statement
    body["claims"][0]["proved"] = closed + 1
    with pytest.raises(check.Refused, match="fewer images"):
        accepts(body)


def test_an_exact_tie_is_closed_only_by_a_strict_literal(parts):
    subject = parts[0]
    # Centres at which k1 - k2 is 2, 3 or 4, and a ball of radius 3 in that comparison alone: 3 is a tie.
    centres = np.zeros((3, WIDTH))
    centres[:, 2] = [2.0, 3.0, 4.0]
    factor = np.zeros((WIDTH, WIDTH))
    factor[2, 2], changes = 4.0, {"proved": 1}
    denied = make_job(subject, Stronger("k1", "k2"), "p").table  # denied: k2 >= k1, not strict
    assert accepts(certificate(subject, centres, factor, denied, [[[[0, 1]]], None, []], **changes))
    with pytest.raises(check.Refused, match="fewer images"):
        accepts(certificate(subject, centres, factor, denied, [[[[0, 1]]], None, []], proved=2))
    asked = (*make_job(subject, Stronger("k2", "k1"), "p").table, ("not", 0))  # denied: k2 > k1, strict
    assert accepts(certificate(subject, centres, factor, asked, [[[[0, 1]]], None, []], proved=2))


def test_a_disjunction_is_closed_where_all_its_cases_are(parts):
    subject, centres, factor = parts
    formula = make_job(subject, Or((Stronger("k1", "k2"), Predict("c1"))), "p").table
    # Denied: k2 >= k1, and one of c0 >= c1, c2 >= c1.
    first = -SLOPES[0], SLOPES[2]
    second = -SLOPES[1], SLOPES[2]

    def closed(pair):
        sides = [centres @ slope + float(RADIUS) * np.linalg.norm(factor.T @ slope) < 0 for slope in pair]
        return sides[0] | sides[1]

    # Literal 0 is k2 >= k1; literal 1 that of the case.
    cases = [[[[[0, 1]], [[1, 1]]], None, []]] * 2
    both = int((closed(first) & closed(second)).sum())
    body = certificate(subject, centres, factor, formula, [[], 0, cases], proved=both)
    assert accepts(body)
    body["claims"][0]["proved"] = both + 1
    with pytest.raises(check.Refused, match="fewer images"):
        accepts(body)
    body["claims"][0]["tree"] = [[], 0, cases[:1]]
    with pytest.raises(check.Refused, match="other cases"):
        accepts(body)


def test_a_share_of_images_is_decided_by_its_counts(body, parts):
    _, centres, factor = parts
    closed = int(floats_closed(centres, factor, RADIUS).sum())
    body["claims"][0].update(proved=closed, verdict="holds", share="1/100")
    assert accepts(body)
    body["claims"][0]["share"] = "99/100"
    with pytest.raises(check.Refused, match="counts do not decide"):
        accepts(body)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tree": [[[[2, -1]]], None, []]}, "not positive"),
        ({"tree": [[[[3, 1]]], None, []]}, "literal"),
        ({"tree": [[[[2, 1], [2, 1]]], None, []]}, "two multipliers"),
        ({"radius": "1/2"}, "neighbourhoods are others"),
        ({"trials": 39}, "other images"),
        ({"reads": READS | {"class": 1}}, "other readouts"),
        ({"refuted": 1}, "refuted around others"),
        ({"kind": "region"}, "keys"),
        ({"share": None, "verdict": "holds"}, "not decided there"),
        ({"share": None, "verdict": "violated"}, "not decided there"),
    ],
)
def test_what_is_not_so_is_refused(body, changes, reason):
    body["claims"][0].update(changes)
    with pytest.raises(check.Refused, match=reason):
        accepts(body)


def test_an_embedding_refutes_in_its_own_neighbourhood_alone(parts):
    subject, _, factor = parts
    embeddings = np.asarray(subject.splits["test"].embeddings[:3], dtype=np.float64)
    logits, y = subject.head.logits(embeddings), subject.lens.alignment(embeddings) @ subject.lens.directions.T
    read = np.concatenate([logits[:, 1:] - logits[:, :1], y[:, 1:] - y[:, :1]], axis=1)
    left, right = ("k1", "k2") if y[0, 1] <= y[0, 2] else ("k2", "k1")
    formula = make_job(subject, Stronger(left, right), "p").table
    body = certificate(subject, read, 1e-3 * factor, formula, [[], None, []], refuted=1, refutations=[[0, 0]])
    body["points"].append({"kind": "embedding", "float64": encoded(embeddings[0])})
    assert "refuted around 1" in accepts(body)[0].statement
    body["claims"][0]["refutations"] = [[1, 0]]
    with pytest.raises(check.Refused, match="outside"):
        accepts(body)
    body["claims"][0].update(refutations=[[0, 0]], formula=[*map(list, formula), ["not", 0]])
    with pytest.raises(check.Refused, match="true there"):
        accepts(body)


def test_a_region_s_claim_cannot_be_about_neighbourhoods(body):
    claim = body["claims"][0]
    keys = ("file", "formula", "name", "statement", "region", "region_digest", "reads", "class")
    body["claims"] = [
        {key: claim[key] for key in keys}
        | {"kind": "region", "verdict": "holds", "coverage": None, "cut": None, "part": "whole", "size": str(RADIUS)}
        | {"proof": [["close", [[2, 1]]]]}
    ]
    with pytest.raises(check.Refused, match="no region of a class"):
        accepts(body)


def test_long_multipliers_around_many_images_take_no_more_memory_than_allowed(parts):
    subject, _, factor = parts
    formula = make_job(subject, Implies(Predict("c1"), Stronger("k1", "k2")), "p").table
    centres = np.random.default_rng(0).normal(size=(20_000, WIDTH))
    plain, long = (
        sealed(certificate(subject, centres, factor, formula, [[[[2, weight]]], None, []])) for weight in (3, 10**3900)
    )
    assert check.check_data(plain, (), check.Budget(megabytes=60))
    with pytest.raises(check.Refused, match="--megabytes"):
        check.check_data(long, (), check.Budget(megabytes=60))

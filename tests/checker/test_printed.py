"""What the checker prints is what it checked, whatever names, lengths and regions a certificate comes with."""

import base64
import hashlib
import itertools
import json
import struct
from fractions import Fraction
from typing import Any

import pytest

from conspect.bench.forging.mutations_near import retied
from conspect.checker import check
from conspect.verification.certificates.writing import sealed

CLAIM = {"digest": "", "file": "f.cspec", "name": "p", "statement": "s", "formula": [["stronger", 0, 1]]}


def f8(*values):
    return base64.b64encode(struct.pack(f"<{len(values)}d", *values)).decode()


def certificate(claim, regions, *, names=("a", "b"), points=()):
    """A certificate of one claim, over the plane with classes and concepts that are its axes (a third one: -z1)."""
    axes = [(1, 0), (0, 1), (0, -1)][: len(names)]
    body: Any = {
        "format": check.FORMAT, "sources": {}, "study": {}, "dimension": 2, "points": list(points), "regions": regions,
        "names": {"classes": ["c0", "c1"], "concepts": list(names)}, "thresholds": {},
        "head": [{"weight": f8(1, 0, 0, 1), "offset": f8(0, 0), "outputs": 2}],
        "lens": {"weight": f8(1, 0, 0, 1), "offset": f8(0, 0), "directions": f8(*sum(axes, ())), "width": 2},
        "claims": [CLAIM | claim],
    }  # fmt: skip
    model = check.Model(body, check.Budget())
    body["digests"] = {"head": model.head_digest, "lens": model.lens_digest}
    for own in body["claims"]:
        if "region" in own:
            place = check.read_region(regions[own["region"]], model)
            own["reads"] = None if place.reads is None else place.reads.record()
            own["region_digest"] = place.digest(Fraction(own.get("size", own.get("radius"))), own.get("cut"))
    return sealed(retied(body))


def printed(*args, **options):
    (claim,) = check.check_data(certificate(*args, **options))
    return claim.statement


BOX = {"shape": "box", "centre": f8(0, 9), "factor": f8(1, 1), "reads": None}
HOLDS = {"kind": "region", "verdict": "holds", "class": "c0", "coverage": None, "cut": None, "part": "whole", "region": 0,
         "size": "1", "proof": [["close", [[0, 1]]]]}  # fmt: skip


@pytest.mark.parametrize("count", [40, 41, 200])
def test_every_part_of_a_formula_is_printed(count):
    # b > a is true everywhere in the box, a > b nowhere: what decides is the last part alone.
    formula = [["stronger", 0, 1], ["not", 0], ["or", *[0] * count, 1]]
    said = printed(HOLDS | {"formula": formula, "proof": [["close", [[0, 1], [count, 1]]]]}, [BOX])
    assert said.count("a > b") == count + 1
    assert "or (not (a > b)) [size" in said
    witness = {k: v for k, v in HOLDS.items() if k != "proof"} | {"verdict": "violated", "witness": 0}
    point = {"kind": "embedding", "float64": f8(0, 9)}
    both = [["stronger", 1, 0], ["not", 0], ["and", *[0] * count, 1]]
    assert "and (not (b > a)) [size" in printed(witness | {"formula": both}, [BOX], points=[point])


def test_what_is_too_long_to_print_says_so_and_of_how_many_parts():
    formula = [["stronger", 0, 1], ["not", 0], ["or", *[0] * 2000, 1]]
    said = printed(HOLDS | {"formula": formula, "proof": [["close", [[0, 1], [2000, 1]]]]}, [BOX])
    assert "more of the 2001 parts of this `or`, not printed" in said
    assert len(said) < 6000
    deep = [["stronger", 1, 0], *(["and", k, k] for k in range(40))]
    model = check.Model(json.loads(certificate(HOLDS | {"formula": [["stronger", 1, 0]]}, [BOX])), check.Budget())
    assert "2 parts of this `and`, not printed" in check.written(deep, model)
    nested = [["stronger", 1, 0], *(["not", k] for k in range(399))]
    assert check.written(nested, model).count("not (") == 399 or "not printed" in check.written(nested, model)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("b or a", '"b or a"'),
        ("or", '"or"'),
        ("1", '"1"'),
        ("", '""'),
        ("a ", '"a "'),
        ('q"', r'"q\""'),
        ("back\\", r'"back\\"'),
        ("tr\u0430ck\x1b", r'"tr\u0430ck\u001b"'),
        ("\x7f", r'"\u007f"'),
        ("long-snout", "long-snout"),
        ("_x1", "_x1"),
        ("a--b", '"a--b"'),
    ],
)
def test_a_name_that_is_no_plain_word_stands_in_quotes(name, said):
    assert check.quoted(name) == said
    claim = HOLDS | {"formula": [["stronger", 2, 1]]}
    body = certificate(claim | {"proof": [["close", [[0, 1]]]]}, [BOX | {"centre": f8(0, -9)}], names=("z", name, "k"))
    (accepted,) = check.check_data(body)
    assert f"k > {said} [size" in accepted.statement


def test_a_cut_name_says_how_long_it_is():
    assert check.quoted("a" * 500) == '"' + "a" * 400 + '"...(500 characters)'


def test_names_of_splits_images_and_claims_are_quoted(capsys, tmp_path):
    where = {"inside": 1, "images": 2, "split": "test] holds ["}
    assert 'images of "test] holds ["' in printed(HOLDS | {"formula": [["stronger", 1, 0]], "coverage": where}, [BOX])
    point = f8(0, 9)
    image = {
        "kind": "image", "verdict": "holds", "split": "te st", "image": 'x"', "point": 0, "formula": [["stronger", 1, 0]],
        "embedding": hashlib.sha256(base64.b64decode(point)).hexdigest(), "name": "p: all is well",
    }  # fmt: skip
    path = tmp_path / "c.json"
    path.write_bytes(certificate(image, [], points=[{"kind": "embedding", "float64": point}]))
    assert check.main([str(path)]) == 0
    assert r'holds    "p: all is well": for x = image("x\"") of "te st": b > a' in capsys.readouterr().out


# Readouts are b - a alone: around -1 and 1, with a radius far below either.
NEAR = {
    "shape": "near",
    "centre": f8(-1, 1),
    "factor": f8(1e-9),
    "reads": {"class": None, "concepts": [0, 1], "strengths": "relative"},
    "images": 2,
}
SHARE = {
    "kind": "near", "verdict": "holds", "changes": "ordinary", "class": "c0", "images": "0" * 64, "level": "99/100",
    "near": "9/10", "proved": 1, "radius": "1", "refutations": [], "refuted": 0, "region": 0, "share": "3/4", "split": "test",
    "tree": [[[[0, 1]]], None, []], "trials": 2,
}  # fmt: skip


def test_a_share_around_images_prints_the_level_of_its_test():
    assert printed(SHARE, [NEAR]).endswith("radius 1.0000, at level 99/100]")
    assert 'changes = "ordinary): and all (x"' in printed(SHARE | {"changes": "ordinary): and all (x"}, [NEAR])
    with pytest.raises(check.Refused, match="do not decide"):
        printed(SHARE | {"level": "1/20"}, [NEAR])


@pytest.mark.parametrize(
    "changes",
    [
        {"near": "7"}, {"near": None}, {"near": {"a": 1}}, {"near": "0"}, {"near": "-1/2"}, {"near": "9/10, radius 50"},
        {"class": "nobody"}, {"class": 0}, {"split": None}, {"split": ["test"]}, {"changes": None}, {"changes": ["ordinary"]},
        {"image": "x"},
    ],
)  # fmt: skip
def test_what_a_share_around_images_is_of_has_to_make_sense(changes):
    with pytest.raises(check.Refused):
        printed(SHARE | changes, [NEAR])


def test_a_claim_around_one_image_prints_its_id():
    near, ids = NEAR | {"centre": f8(-1), "images": 1}, hashlib.sha256(b'["test/00017"]').hexdigest()
    single = SHARE | {"share": None, "class": None, "trials": 1, "images": ids}
    assert printed(single | {"image": "test/00017"}, [near]).startswith(
        'for x = image("test/00017") of test: for all y'
    )
    with pytest.raises(check.Refused, match="not the one that its digest names"):
        printed(single | {"image": "test/00018"}, [near])
    assert f"x = one image of id digest {ids[:12]}: " in printed(single, [near])


def band(*least):
    concepts = [0, 1, 2] if len(least) == 6 else [0, 1]
    reads = {"class": None, "concepts": concepts, "strengths": "each"}
    return {"shape": "band", "centre": f8(*least), "factor": f8(*[0] * len(least)), "reads": reads}


def test_a_band_whose_pairs_contradict_each_other_is_said_to_be_empty():
    # a is at least 1 above b, and b at least 1 above a.
    claim = HOLDS | {"proof": [["cycle", [], [0, 1]]]}
    assert "EMPTY: nothing lies in it]" in printed(claim, [band(1, 1)])
    with pytest.raises(check.Refused, match="in which nothing can lie"):
        printed(claim | {"coverage": {"inside": 1, "images": 10, "split": "test"}}, [band(1, 1)])
    assert "EMPTY" not in printed(claim | {"proof": [["cycle", [[0, 1]], [0]]]}, [band(1, -1)])


def test_a_contradiction_along_three_pairs_is_found_though_the_proof_does_without():
    # Pairs (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1): 0 above 1 above 2 above 0.
    claim = HOLDS | {"proof": [["cycle", [[0, 1]], [0]]]}
    assert "EMPTY" in printed(claim, [band(1, -9, -9, 1, 1, -9)], names=("a", "b", "c"))
    assert "EMPTY" not in printed(claim, [band(1, -9, -9, 1, -2, -9)], names=("a", "b", "c"))


def test_emptiness_agrees_with_sums_along_all_simple_cycles():
    names, pairs = ("a", "b", "c"), list(itertools.permutations(range(3), 2))
    for number, gaps in enumerate(itertools.product((-2, 0, 1), repeat=6)):
        if number % 7:
            continue
        above = dict(zip(pairs, gaps, strict=True))
        cycles = [*itertools.combinations(range(3), 2), (0, 1, 2), (0, 2, 1)]
        sums = [sum(above[c[k - 1], c[k]] for k in range(len(c))) for c in cycles]
        open_ = {k: v for k, v in HOLDS.items() if k != "proof"} | {"verdict": "unknown"}
        assert ("EMPTY" in printed(open_, [band(*gaps)], names=names)) == (max(sums) > 0), gaps


def test_a_proof_that_shows_a_premise_never_true_says_so():
    never, always = ["stronger", 0, 1], ["stronger", 1, 0]
    claim = HOLDS | {"formula": [never, always, ["implies", 0, 1]]}
    # Denied: literal 0 is the premise, literal 1 the conclusion's opposite; the conclusion holds as well.
    assert "VACUOUS: nothing in it satisfies the premise]" in printed(claim, [BOX])
    assert "VACUOUS" not in printed(claim | {"proof": [["close", [[1, 1]]]]}, [BOX])
    assert "VACUOUS" not in printed(
        claim | {"formula": [always, always, ["implies", 0, 1]], "proof": [["close", [[1, 1]]]]}, [BOX]
    )


def test_a_proof_that_needs_the_cut_alone_says_that_nothing_lies_there():
    assert "EMPTY: nothing lies in it]" in printed(HOLDS | {"cut": 0}, [BOX])


def test_a_segment_is_no_region_of_a_class():
    segment = {"shape": "segment", "centre": f8(0, 9), "factor": f8(0, 1), "reads": None}
    with pytest.raises(check.Refused, match="no region of a class"):
        printed(HOLDS | {"formula": [["stronger", 1, 0]]}, [segment])

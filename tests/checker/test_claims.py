"""Every kind of claim: what is printed, word for word; and every condition that it has to meet, broken alone."""

import base64
import hashlib
import re
from fractions import Fraction
from math import comb
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.checker import check
from tests.checker.handmade import BOX, REGION_CLAIM, Tree, body_of, digest, f8, joint, sealed

# Strengths are x, y and 0 at the embedding (x, y); logits x and y.
PLAIN: Any = {
    "lens": ([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0], [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]),
    "head": [([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])],
    "thresholds": {"k0": "1/2"},
}
Z = f8([3.0, 1.0])
POINT = {"kind": "embedding", "float64": Z}
OTHER = {"kind": "embedding", "numerators": [1, 3], "denominator": 1}
REGION: Tree = REGION_CLAIM | {"formula": [["stronger", 1, 0]]}
WITNESS: Tree = {k: v for k, v in REGION.items() if k != "proof"} | {
    "verdict": "violated",
    "witness": 0,
    "formula": [["stronger", 0, 1]],
}
OPEN: Tree = {k: v for k, v in REGION.items() if k != "proof"} | {"verdict": "unknown"}
SHARE: Tree = {
    "kind": "share", "verdict": "holds", "class": None, "split": "test", "images": "0" * 64, "outcomes": "1" * 64,
    "share": "9/10", "level": "1/20", "successes": 60, "trials": 60, "formula": [["predict", 0]],
}  # fmt: skip
IMAGE: Tree = {
    "kind": "image", "verdict": "holds", "split": "test", "image": "x/1", "point": 0, "formula": [["stronger", 0, 1]],
    "embedding": hashlib.sha256(base64.b64decode(Z)).hexdigest(),
}  # fmt: skip
NEAR_REGION: Tree = {
    "shape": "near", "centre": [[-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]], "factor": [[2.0**-30, 0.0], [0.0, 2.0**-30]],
    "reads": joint(None, False), "images": 3,
}  # fmt: skip
# Readouts are k1 and k2 above k0: k0 is above k1 around the first and the last image, not around the second.
NEAR: Tree = {
    "kind": "near", "verdict": "holds", "changes": "ordinary", "class": "c0", "images": "0" * 64, "level": "99/100",
    "near": "9/10", "proved": 2, "radius": "1", "refutations": [], "refuted": 0, "region": 0, "share": "1/2", "split": "test",
    "tree": [[[[0, 1]]], None, []], "trials": 3, "formula": [["stronger", 0, 1]],
}  # fmt: skip
SEGMENT: Tree = {"shape": "segment", "centre": [0.0, 0.5], "factor": [[1.0], [0.0]], "reads": None}
# k1 above k0 along the line, that is 1/2 above w: true up to 1/2, where it is false.
EXTENT: Tree = {
    "kind": "extent", "verdict": "holds", "split": "test", "image": "x/1", "concept": 0, "low": "-64", "before": None,
    "high": "2147483647/4294967296", "after": "1/2", "region": 0, "formula": [["stronger", 1, 0]],
    "proof": [["close", [[0, 1]]]],
    "embedding": hashlib.sha256(base64.b64decode(f8([0.0, 0.5]))).hexdigest(),
    "direction": hashlib.sha256(base64.b64decode(f8([1.0, 0.0]))).hexdigest(),
}  # fmt: skip
BAND: Tree = {"shape": "band", "centre": [0.0] * 6, "factor": [0.0] * 6, "reads": joint(None, False)}


def body(claim: Tree, **changes: Any) -> Tree:
    regions = {"near": [NEAR_REGION], "extent": [SEGMENT]}.get(claim["kind"], [BOX])
    points = [OTHER] if claim["kind"] == "region" else [POINT]
    return body_of(claim, **{"regions": regions, "points": points} | PLAIN | changes)


def said(claim: Tree, **changes: Any) -> str:
    (accepted,) = check.check_data(sealed(body(claim, **changes)))
    assert accepted.verdict == claim["verdict"]
    return accepted.statement


def refusal(claim: Tree, **changes: Any) -> str:
    with pytest.raises(check.Refused) as caught:
        check.check_data(sealed(body(claim, **changes)))
    return str(caught.value)


def digest_of_region(claim: Tree, **changes: Any) -> str:
    return str(body(claim, **changes)["claims"][0]["region_digest"][:12])


def test_what_is_printed_of_a_region() -> None:
    rest = f"size 1, region {digest_of_region(REGION)}, coverage not said]"
    assert said(REGION) == f"for all x in the box of c0: k1 > k0 [{rest}"
    assert said(OPEN) == f"for all x in the box of c0: k1 > k0 [{rest}"
    # The corner (1, 3) is outside the box around (0, 9), inside one of size 6, and there k0 is not above k1.
    wide = WITNESS | {"size": "6"}
    assert (
        said(wide)
        == f"for all x in the box of c0: k0 > k1 [size 6, region {digest_of_region(wide)}, coverage not said]"
    )
    steps = [["close", [[1, 1]]]]
    cut = REGION | {"cut": 1, "coverage": {"inside": 3, "images": 4, "split": "te st"}, "proof": steps}
    assert said(cut) == (
        f"for all x in the box of c0 where predict(x, c1): k1 > k0 [size 1, region {digest_of_region(cut)}, "
        'said to contain 3 of 4 images of "te st"]'
    )
    assert said(REGION | {"part": "conclusion", "cut": 0, "proof": steps}).endswith("coverage not said]")


def test_what_is_printed_of_a_share() -> None:
    assert said(SHARE) == "for 9/10 of x in images: predict(x, c0) [true for 60 of 60 images of test, at level 1/20]"
    assert said(SHARE | {"class": "c1", "successes": 40, "verdict": "violated"}) == (
        "for 9/10 of x in images(c1): predict(x, c0) [true for 40 of 60 images of test, at level 1/20]"
    )
    assert said(SHARE | {"successes": 54, "verdict": "unknown"}).startswith(
        "for 9/10 of x in images: predict(x, c0) [true for 54"
    )


def test_what_is_printed_of_an_image() -> None:
    assert said(IMAGE) == 'for x = image("x/1") of test: k0 > k1'
    assert (
        said(IMAGE | {"verdict": "violated", "formula": [["stronger", 1, 0]]})
        == 'for x = image("x/1") of test: k1 > k0'
    )
    unknown = {k: v for k, v in IMAGE.items() if k != "point"} | {"verdict": "unknown"}
    assert said(unknown) == 'for x = image("x/1") of test: k0 > k1'


def test_what_is_printed_of_neighbourhoods() -> None:
    assert said(NEAR) == (
        "for 1/2 of x in images(c0): for all y near x (changes = ordinary, share = 9/10): k0 > k1 "
        "[proved around 2 of 3 images of test, refuted around 0, radius 1.0000, at level 99/100]"
    )
    assert "images: for all y" in said(NEAR | {"class": None, "verdict": "unknown"})
    assert "k0 > k1 [proved around 1 of 3" in said(NEAR | {"proved": 1, "verdict": "unknown"})


def near_of(**changes: Any) -> dict[str, Any]:
    """Around one image, whose embedding is the point."""
    ids = digest(["test/1"])
    return NEAR | {"share": None, "class": None, "trials": 1, "images": ids, "image": "test/1"} | changes


@pytest.mark.parametrize(("verdict", "formula", "z"), [("holds", 0, [3.0, 1.0]), ("violated", 1, [3.0, 1.0])])
def test_one_image_is_proved_or_refuted(verdict: str, formula: int, z: list[float]) -> None:
    """At (3, 1) the readouts are -2 and -3."""
    region = NEAR_REGION | {"centre": [[-2.0, -3.0]], "images": 1}
    other = {"regions": [region], "points": [{"kind": "embedding", "float64": f8(z)}]}
    comparison = [["stronger", formula, 1 - formula]]
    claim = near_of(formula=comparison, verdict=verdict, proved=int(verdict == "holds"))
    if verdict == "violated":
        claim |= {"tree": [[], None, []], "refutations": [[0, 0]], "refuted": 1}
    start = 'for x = image("test/1") of test: for all y near x (changes = ordinary, share = 9/10): '
    assert said(claim, **other).startswith(start)
    opposite = {"holds": "violated", "violated": "holds"}[verdict]
    assert refusal(claim | {"verdict": opposite}, **other) == "it is not decided there"
    assert said(claim | {"verdict": "unknown"}, **other).startswith(start)
    assert refusal(claim | {"share": "1/2"}, **other) == "a share is of more than one image"
    assert refusal(claim | {"image": "test/2"}, **other) == "the image is not the one that its digest names"


def test_a_share_of_neighbourhoods_counts_what_is_proved_or_what_is_not_refuted() -> None:
    # Around the second image (1, 0) k1 is above k0: the embedding (0, 1) is in it.
    point = {"kind": "embedding", "float64": f8([0.0, 1.0])}
    region = NEAR_REGION | {"centre": [[-1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]}
    claim = NEAR | {"proved": 1, "refuted": 2, "refutations": [[1, 0], [2, 0]], "verdict": "violated", "share": "3/4"}
    # At most 1 of 3 satisfy it: P(X <= 1) for 3/4 is 1/64 + 9/64 = 10/64.
    assert "refuted around 2" in said(claim | {"level": "5/32"}, regions=[region], points=[point])
    assert "do not decide" in refusal(claim | {"level": "31/200"}, regions=[region], points=[point])
    # One refuted leaves 2 that may: P(X <= 2) is 37/64.
    one = claim | {"refuted": 1, "refutations": [[2, 0]]}
    assert "refuted around 1" in said(one | {"level": "37/64"}, regions=[region], points=[point])
    assert "do not decide" in refusal(one | {"level": "9/16"}, regions=[region], points=[point])
    # At least 1 proved of 3: P(X >= 1) for 1/4 is 37/64, whatever is refuted.
    holds = one | {"verdict": "holds", "share": "1/4"}
    assert "proved around 1" in said(holds | {"level": "37/64"}, regions=[region], points=[point])
    assert "do not decide" in refusal(holds | {"level": "9/16"}, regions=[region], points=[point])


def test_what_is_printed_of_an_extent() -> None:
    start = 'for x = image("x/1") of test, its k0 changed along its gradient by -64.0000 (at least) to '
    assert said(EXTENT) == start + "0.4999 (false by 0.5000): k1 > k0"
    closed = {"high": "1/2", "formula": [["stronger", 0, 1], ["not", 0]], "after": "2147483649/4294967296"}
    assert said(EXTENT | closed) == start + "0.5000 (false by 0.5001): not (k0 > k1)"


def test_ends_are_printed_in_the_rise_that_the_step_has() -> None:
    """A step of 1 - 2**-33: half a ten-thousandth at 2**17 is more than what is rounded away."""
    step = 1 - 2.0**-33
    segment = SEGMENT | {"centre": [0.0, 2.0**20], "factor": [[step], [0.0]]}
    claim = EXTENT | {
        "high": str(2**20), "after": str(Fraction(2**20) / Fraction(step) + Fraction(1, 2**20)), "low": "0",
        "formula": [["stronger", 0, 1], ["not", 0]],
        "embedding": hashlib.sha256(base64.b64decode(f8([0.0, 2.0**20]))).hexdigest(),
        "direction": hashlib.sha256(base64.b64decode(f8([step, 0.0]))).hexdigest(),
    }  # fmt: skip
    inner, beyond = Fraction(2**20) * Fraction(step), Fraction(claim["after"]) * Fraction(step)
    assert f"to {check.decimal(inner)} (false by {check.decimal(beyond, away=True)})" in said(claim, regions=[segment])
    assert check.decimal(inner) == "1048575.9998"


def test_an_end_is_sharp_to_a_part_in_four_billion_and_no_less() -> None:
    """(1/2 - h) 2**32 = 1 + h: what is beyond is exactly as far as is allowed."""
    tie = Fraction(2**31 - 1, 2**32 + 1)
    for high, fine in ((tie, True), (tie - Fraction(1, 2**40), False), (tie + Fraction(1, 2**40), True)):
        claim = EXTENT | {"high": str(high)}
        assert said(claim) if fine else "not just beyond it" in refusal(claim)
    # The mirror image: k0 above k1 where w is above -1/2.
    down = SEGMENT | {"centre": [0.0, -0.5]}
    mirrored = EXTENT | {
        "formula": [["stronger", 0, 1]], "low": str(-tie), "before": "-1/2", "high": "64", "after": None,
        "embedding": hashlib.sha256(base64.b64decode(f8([0.0, -0.5]))).hexdigest(),
    }  # fmt: skip
    assert "by -0.4999 (false by -0.5000) to 64.0000 (at least)" in said(mirrored, regions=[down])
    assert "not just beyond it" in refusal(mirrored | {"low": str(-tie + Fraction(1, 2**40))}, regions=[down])
    for inside in ("0", str(-tie)):
        assert "not beyond it" in refusal(mirrored | {"before": inside}, regions=[down])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"high": "1/2"}, "multipliers prove nothing"), ({"high": "1", "after": None}, "multipliers prove nothing"),
        ({"after": "1/4"}, "not beyond"), ({"after": "2147483647/4294967296"}, "not beyond"),
        ({"after": "4294967295/8589934592"}, "it changes nothing"), ({"low": "1/8"}, "outside its own extent"),
        ({"high": "-1/8"}, "outside its own extent"), ({"concept": 3}, "a concept is not an integer from 0 to 2"),
        ({"concept": -1}, "a concept is not an integer from 0 to 2"), ({"concept": 1}, "not that in which"),
        ({"concept": 2}, "not that in which"), ({"verdict": "unknown"}, "an extent is what holds along it"),
        ({"verdict": "violated"}, "an extent is what holds along it"), ({"embedding": "0" * 64}, "another one"),
        ({"direction": "0" * 64}, "another one"), ({"image": 1}, "an image without a name"),
        ({"split": None}, "an image without a name"), ({"note": ""}, "exactly the keys"),
    ],
)  # fmt: skip
def test_an_extent_that_is_not_so_is_refused(changes: Tree, why: str) -> None:
    assert why in refusal(EXTENT | changes)


def test_an_extent_may_end_where_the_image_is() -> None:
    for claim in (EXTENT | {"low": "0"}, EXTENT | {"high": "0", "after": None}):
        assert said(claim)
    assert "an extent is no segment" in refusal(EXTENT, regions=[BOX])
    assert "an extent is no segment" in refusal(EXTENT, regions=[BAND])


def test_an_extent_is_proved_over_all_of_it_where_the_head_has_layers() -> None:
    """Logits relu(x - 2) and 1/2: c1 is predicted up to 5/2, and 4 is beyond whatever the other end is."""
    head = [([[1.0, 0.0]], [-2.0]), ([[1.0], [0.0]], [0.0, 0.5])]
    steps = [["open", 0], ["close", [[0, 1]], [], []]]
    claim = EXTENT | {"formula": [["predict", 1]], "proof": steps, "low": "-1/4", "after": None}
    assert said(claim | {"high": "1"}, head=head)
    assert "multipliers prove nothing" in refusal(claim | {"high": "4"}, head=head)
    mirrored = [([[-1.0, 0.0]], [-2.0]), head[1]]
    turned = claim | {"before": None, "high": "1/4"}
    assert said(turned | {"low": "-1"}, head=mirrored)
    assert "multipliers prove nothing" in refusal(turned | {"low": "-4"}, head=mirrored)


@pytest.mark.parametrize(
    ("claim", "changes", "why"),
    [
        (REGION, {"size": "-1"}, "a negative size"), (REGION, {"size": "1.0"}, "a size is not a fraction"),
        (REGION, {"cut": 2}, "a cut is not an integer from 0 to 1"), (REGION, {"cut": -1}, "a cut is not an integer"),
        (REGION, {"class": "c9"}, "a region of no class"), (REGION, {"class": None}, "a region of no class"),
        (REGION, {"region_digest": "0" * 64}, "the region is not the one that its digest names"),
        (REGION, {"region": 1, "region_digest": "", "reads": None}, "a region's number is not an integer from 0 to 0"),
        (REGION, {"reads": joint(None, False)}, "made of other readouts"),
        (REGION, {"part": "premise"}, "which part"),
        (WITNESS, {"size": "6", "part": "conclusion"}, "a conclusion alone refutes"),
        (REGION, {"formula": [["stronger", 0, 1]]}, "multipliers prove nothing"),
        (WITNESS, {}, "the witness lies outside the region"),
        (WITNESS, {"size": "6", "formula": [["stronger", 1, 0]]}, "true at the witness"),
        (WITNESS, {"size": "6", "cut": 0}, "the witness lies outside the cut"),
        (WITNESS, {"size": "6", "witness": 1}, "a witness's number is not an integer from 0 to 0"),
        (REGION, {"coverage": {"inside": 5, "images": 4, "split": "t"}},
         "a number of images inside is not an integer from 0 to 4"),
        (REGION, {"coverage": {"inside": 0, "images": 2**40 + 1, "split": "t"}},
         "a number of images is not an integer from 0 to 1099511627776"),
        (REGION, {"coverage": {"inside": -1, "images": 4, "split": "t"}}, "a number of images inside is not an integer"),
        (REGION, {"coverage": {"inside": 0, "images": 4, "split": None}}, "a name is not text"),
        (REGION, {"coverage": [0, 4, "t"]}, "a coverage must have exactly the keys"),
        (REGION, {"witness": 0}, "exactly the keys"),
        (REGION, {"kind": "other"}, "unknown kind of claim"), (REGION, {"verdict": "true"}, "a claim has no verdict"),
        (REGION, {"digest": "0" * 64}, "a claim is not the one that its digest names"),
        (REGION, {"file": None}, "does not say what it claims"),
        (REGION, {"name": 1}, "does not say what it claims"), (REGION, {"statement": None}, "does not say what it claims"),
        (SHARE, {"share": "0"}, "out of range"), (SHARE, {"share": "11/10"}, "out of range"),
        (SHARE, {"level": "0"}, "out of range"),
        (SHARE, {"level": "1"}, "out of range"), (SHARE, {"images": "x"}, "the images' digest is no digest"),
        (SHARE, {"outcomes": "x"}, "the outcomes' digest is no digest"),
        (SHARE, {"trials": 10_000_001}, "from 0 to 10000000"),
        (SHARE, {"trials": -1}, "from 0 to 10000000"), (SHARE, {"successes": 61}, "from 0 to 60"),
        (SHARE, {"successes": 54}, "do not decide"),
        (SHARE, {"successes": 60, "verdict": "violated"}, "do not decide"), (SHARE, {"class": "c9"}, "images of no class"),
        (SHARE, {"trials": 0, "successes": 0}, "do not decide"), (SHARE, {"point": 0}, "exactly the keys"),
        (IMAGE, {"point": 1}, "a point's number is not an integer from 0 to 0"),
        (IMAGE, {"embedding": "0" * 64}, "the embedding is another one"),
        (IMAGE, {"embedding": 7}, "an embedding's digest is no digest"),
        (IMAGE, {"verdict": "violated"}, "another value at the image"),
        (IMAGE, {"formula": [["stronger", 1, 0]]}, "another value at the image"),
        (IMAGE, {"image": None}, "an image without a name"),
        (IMAGE, {"split": 1}, "an image without a name"), (IMAGE, {"verdict": "unknown"}, "exactly the keys"),
        (NEAR, {"radius": "-1"}, "the neighbourhoods are others"),
        (NEAR, {"radius": "2", "region_digest": "0" * 64}, "the neighbourhoods are others"),
        (NEAR, {"reads": joint(0, False)}, "made of other readouts"),
        (NEAR, {"trials": 2}, "other images"), (NEAR, {"refuted": 1}, "refuted around others"),
        (NEAR, {"proved": 3}, "proved around fewer images"),
        (NEAR, {"proved": 4}, "a count is not an integer from 0 to 3"), (NEAR, {"proved": -1}, "a count is not an integer"),
        (NEAR, {"near": "0"}, "a share of changes is out of range"),
        (NEAR, {"near": "10/9"}, "a share of changes is out of range"),
        (NEAR, {"images": ""}, "the images' digest is no digest"),
        (NEAR, {"image": "x"}, "a share is of more than one image"),
        (NEAR, {"share": None}, "not decided there"), (NEAR, {"share": None, "verdict": "unknown"}, "not decided there"),
        (NEAR, {"refutations": [[3, 0]], "refuted": 1}, "an image's number is not an integer from 0 to 2"),
        (NEAR, {"refutations": [[1, 1]], "refuted": 1}, "a point's number is not an integer from 0 to 0"),
        (NEAR, {"refutations": [[1, 0]], "refuted": 1}, "it is outside"),
        (NEAR, {"tree": [[[[0, 1]]], 0, []]}, "the disjunction opened is not an integer from 0 to -1"),
        (NEAR, {"tree": [[], None]}, "a case has the wrong shape"),
        (NEAR, {"tree": [{}, None, []]}, "a case has the wrong shape"), (NEAR, {"tree": {}}, "a case has the wrong shape"),
        (NEAR, {"region": 1, "region_digest": "", "reads": None}, "a region's number"),
        (NEAR, {"changes": None}, "a name is not text"), (NEAR, {"class": "c7"}, "images of no class"),
    ],
)  # fmt: skip
def test_a_claim_that_breaks_one_condition_is_refused_for_it(claim: Tree, changes: Tree, why: str) -> None:
    assert why in refusal(claim | changes)


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        (REGION, {"size": "0"}), (REGION, {"coverage": {"inside": 0, "images": 2**40, "split": "t"}}),
        (REGION, {"coverage": {"inside": 4, "images": 4, "split": "t"}}),
        (SHARE, {"share": "1", "successes": 59, "verdict": "violated"}),
        (SHARE, {"trials": 0, "successes": 0, "verdict": "unknown"}),
        (SHARE, {"trials": 10**7, "successes": 0, "verdict": "unknown"}), (NEAR, {"near": "1"}), (NEAR, {"radius": "0"}),
        (NEAR, {"proved": 0, "verdict": "unknown"}), (WITNESS, {"size": "6", "cut": 1}),
    ],
)  # fmt: skip
def test_what_is_just_within_a_condition_is_accepted(claim: Tree, changes: Tree) -> None:
    assert said(claim | changes)


def test_points_of_images_are_given_as_float64_and_as_themselves() -> None:
    exact = {"kind": "embedding", "numerators": [3, 1], "denominator": 1}
    inside = {"kind": "coordinates", "float64": Z, "region": 0}
    for point in (exact, inside):
        assert "not given as float64" in refusal(IMAGE, points=[point])


def test_neighbourhoods_have_no_steps() -> None:
    place = check.read_region(body(NEAR)["regions"][0], check.Model(body(NEAR), check.Budget()))
    with pytest.raises(check.Refused, match="neighbourhoods have no proof of their own"):
        check.check_proof([["close", [[0, 1]]]], NEAR["formula"], place, Fraction(1), None)


def test_what_python_cannot_make_sense_of_is_refused_by_the_name_of_its_error() -> None:
    with pytest.raises(check.Refused, match="malformed: TypeError"):
        check.check_data(sealed(body(REGION) | {"regions": [body(REGION)["regions"][0] | {"shape": []}]}))


def test_regions_of_one_kind_do_not_serve_another() -> None:
    assert refusal(REGION, regions=[SEGMENT]) == "it is no region of a class"
    near = REGION | {"region_digest": digest({"arrays": "", "cut": None, "shape": "near", "size": "1"})}
    assert refusal(near, regions=[NEAR_REGION]) == "the region is not the one that its digest names"
    assert refusal(REGION, regions=[NEAR_REGION]) == "it is no region of a class"
    own = NEAR | {"reads": None}
    assert refusal(own, regions=[BOX]) == "a claim about images without neighbourhoods"
    assert "unknown region shape" in refusal(REGION, regions=[BOX | {"shape": "ball"}])
    assert "only span and band are made of readouts" in refusal(REGION, regions=[BOX | {"reads": joint(None, False)}])
    span = BOX | {"shape": "span", "factor": [[1.0, 0.0], [0.0, 1.0]]}
    assert "readouts must have exactly the keys" in refusal(REGION, regions=[span])
    one = {"lens": ([[1.0, 0.0]], [0.0], [[1.0]]), "thresholds": {}}
    empty = {"shape": "span", "centre": [], "factor": [], "reads": joint(None, False, 1)}
    assert "a region without axes" in refusal(REGION | {"formula": [["predict", 0]]}, regions=[empty], **one)
    for images, why in ((0, "from 1 to 16777216"), (2**24 + 1, "from 1 to 16777216"), (2**24, "bytes and not")):
        assert why in refusal(NEAR, regions=[NEAR_REGION | {"images": images}])


def test_a_certificate_has_its_parts_each_of_its_kind() -> None:
    whole = body(REGION)
    for changes, why in (
        ({"claims": []}, "the certificate claims nothing"), ({"claims": [None]}, "a claim is not an object"),
        ({"claims": {}}, "are not lists"),
        ({"regions": {}}, "are not lists"), ({"points": None}, "are not lists"),
        ({"thresholds": []}, "thresholds are not an object"),
        ({"head": []}, "the head has no layers"), ({"head": {}}, "the head has no layers"),
        ({"extra": 1}, "a certificate must have exactly the keys"),
        ({"digests": {"head": "0" * 64, "lens": whole["digests"]["lens"]}}, "the head, or a class's name"),
        ({"digests": {"lens": "0" * 64, "head": whole["digests"]["head"]}}, "the lens, a name or a threshold"),
        ({"claims": [*whole["claims"], *whole["claims"]]}, "p is claimed twice"),
    ):  # fmt: skip
        with pytest.raises(check.Refused, match=re.escape(why)):
            check.check_data(sealed(whole | changes))
    both = body_of(REGION, REGION | {"file": "g.cspec"}, REGION | {"name": "q"}, **PLAIN)
    assert [claim.name for claim in check.check_data(sealed(both))] == ["p", "p", "q"]


FORMULA_MODEL = check.Model(body(REGION), check.Budget())


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ([], "not a table"), ({}, "not a table"), ([[]], "not a list with a name"),
        ([["predict"]], "wrong number of arguments"),
        ([["predict", 0, "0"]], "a lead is not positive"), ([["predict", 0, "-1"]], "a lead is not positive"),
        ([["predict", 0, 1]], "a lead is not a fraction"),
        ([["predict", 0, "1", "1"]], "wrong number of arguments"),
        ([["predict", 2]], "an argument of predict is not an integer from 0 to 1"), ([["predict", -1]], "from 0 to 1"),
        ([["stronger", 0]], "wrong number"), ([["stronger", 0, 1, 2]], "wrong number"),
        ([["stronger", 0, 3]], "an argument of stronger is not an integer from 0 to 2"),
        ([["has", 0, 0]], "wrong number"), ([["has", 1]], "hasCon of a concept without threshold"),
        ([["has", 3]], "an argument of has is not an integer from 0 to 2"),
        ([["stronger", 0, 1], ["not"]], "wrong number"), ([["stronger", 0, 1], ["not", 0, 0]], "wrong number"),
        ([["stronger", 0, 1], ["not", 1]], "from 0 to 0"),
        ([["stronger", 0, 1], ["implies", 0]], "wrong number"),
        ([["stronger", 0, 1], ["iff", 0, 0, 0]], "wrong number"), ([["stronger", 0, 1], ["and"]], "wrong number"),
        ([["or"]], "wrong number"), ([["xor", 0]], "unknown kind of node"), ([[0]], "not a list with a name"),
        (["not"], "not a list with a name"),
        ([["stronger", 0, 1], ["stronger", 0, 1]], "nodes that nothing uses"),
        ([["stronger", 0, 1], ["not", 0], ["not", 0]], "nodes that nothing uses"),
        ([["not", 0]], "from 0 to -1"),
        ([["stronger", 0, 1], ["implies", 0, 0], ["iff", 1, 1], ["and", 2, 0], ["or", 3]], None), ([["has", 0]], None),
        ([["predict", 1, "1/3"], ["and", 0]], None), ([["stronger", 2, 2]], None),
    ],
)  # fmt: skip
def test_formulas_are_tables_of_nodes_each_after_its_parts(table: Any, why: str | None) -> None:
    if why is None:
        assert check.read_formula(table, FORMULA_MODEL) == table
    else:
        with pytest.raises(check.Refused, match=why):
            check.read_formula(table, FORMULA_MODEL)


@pytest.mark.parametrize("kind", ["and", "or"])
def test_a_node_has_up_to_a_million_parts(kind: str) -> None:
    parts = [0] * (1 << 20)
    check.read_formula([["predict", 0], [kind, *parts]], FORMULA_MODEL)
    with pytest.raises(check.Refused, match="wrong number of arguments"):
        check.read_formula([["predict", 0], [kind, *parts, 0]], FORMULA_MODEL)


# ---------------------------------------------------------------- shares


class Counted(check.Budget):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def spend(self) -> None:
        self.asked += 1


def tail(successes: int, trials: int, share: Fraction, *, upper: bool) -> Fraction:
    counts = range(successes, trials + 1) if upper else range(successes + 1)
    return sum((comb(trials, i) * share**i * (1 - share) ** (trials - i) for i in counts), Fraction(0))


@given(st.integers(1, 30), st.integers(0, 30), st.integers(1, 11), st.booleans())
def test_of_a_tail_and_its_complement_the_one_with_fewer_terms_is_summed(
    trials: int, wanted: int, part: int, upper: bool
) -> None:
    successes, share, budget = min(wanted, trials), Fraction(part, 12), Counted()
    truth = tail(successes, trials, share, upper=upper)
    assert check.tail_excluded(successes, trials, share, truth, upper=upper, budget=budget)
    own = trials - successes + 1 if upper else successes + 1
    assert budget.asked == min(own, trials + 1 - own)


@pytest.mark.parametrize("upper", [False, True])
def test_of_a_share_of_all_every_image_is_one(upper: bool) -> None:
    for successes in range(4):
        excluded = check.tail_excluded(successes, 3, Fraction(1), Fraction(1, 20), upper=upper, budget=check.Budget())
        assert excluded == (not upper and successes < 3)
        assert excluded == (tail(successes, 3, Fraction(1), upper=upper) <= Fraction(1, 20))


def test_powers_are_limited_to_the_last(monkeypatch) -> None:
    # 7 images, a denominator of 5 bits.
    monkeypatch.setattr(check, "LONGEST_POWER", 35)
    assert check.tail_excluded(1, 7, Fraction(1, 17), Fraction(999, 1000), upper=True, budget=check.Budget())
    monkeypatch.setattr(check, "LONGEST_POWER", 34)
    with pytest.raises(check.Refused, match="takes too long"):
        check.tail_excluded(1, 7, Fraction(1, 17), Fraction(999, 1000), upper=True, budget=check.Budget())


@pytest.mark.parametrize("upper", [False, True])
def test_a_long_share_is_rounded_against_the_claim_and_tried_first(upper: bool, monkeypatch) -> None:
    asked: list[Fraction] = []

    def excluded(k: int, n: int, share: Fraction, level: Fraction, **options: Any) -> bool:
        assert options["upper"] is upper
        asked.append(share)
        return len(asked) == 2

    monkeypatch.setattr(check, "tail_excluded", excluded)

    def tried(share: Fraction) -> list[Fraction]:
        asked.clear()
        check.share_decided(3, 5, share, Fraction(1, 20), upper=upper, budget=check.Budget())
        return list(asked)

    assert tried(Fraction(1, 2**63)) == [Fraction(1, 2**63)]
    third = Fraction(2**64 // 3 + upper, 2**64)
    long = Fraction(10**30 // 3, 10**30)
    assert tried(long) == [third, long]
    tiny = Fraction(1, 2**70)
    assert tried(tiny) == ([Fraction(1, 2**64), tiny] if upper else [tiny])
    exact_ = Fraction(2**62 + 1, 2**63)
    assert tried(exact_) == [exact_]

    def excluded_at_once(k: int, n: int, share: Fraction, level: Fraction, **options: Any) -> bool:
        asked.append(share)
        return True

    monkeypatch.setattr(check, "tail_excluded", excluded_at_once)
    asked.clear()
    assert check.share_decided(3, 5, long, Fraction(1, 20), upper=upper, budget=check.Budget())
    assert asked == [third]
    assert not check.share_decided(0, 0, long, Fraction(1, 20), upper=upper, budget=check.Budget())


# ---------------------------------------------------------------- words


@given(st.fractions())
def test_decimals_are_nearer_to_nought_or_farther_away(value: Fraction) -> None:
    near, away = (Fraction(check.decimal(value, away=away)) for away in (False, True))
    assert abs(near) <= abs(value) < abs(near) + Fraction(1, 10_000)
    assert abs(away) - Fraction(1, 10_000) < abs(value) <= abs(away)
    assert near * value >= 0
    assert re.fullmatch(r"-?\d+\.\d{4}", check.decimal(value))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a" * 400, "a" * 400), ("a" * 401, "a" * 400 + "..."), ("ä", "\\xe4"), ("a\nb", "a\\nb"), ("a\\b", "a\\b"),
        ("\x1b" * 100, "\\x1b" * 100), ("\x1b" * 101, "\\x1b" * 100 + "..."), (None, "None"),
        ("\\" + "a" * 799 + "\x1b", "\\" + "a" * 399 + "..."), ("\\" + "a" * 798 + "\x1b", "\\\\" + "a" * 398 + "..."),
    ],
)  # fmt: skip
def test_text_from_outside_is_one_line_of_at_most_four_hundred_characters(text: object, said: str) -> None:
    assert check.shown(text) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a", "a"), ("a-b", "a-b"), ("a1", "a1"), ("1a", '"1a"'), ("a-1", "a-1"), ("a-", '"a-"'), ("-a", '"-a"'),
        ("é", '"\\u00e9"'), ("a b", '"a b"'),
        ("in", '"in"'), ("near", '"near"'), ("y", '"y"'), ("E", '"E"'), ("inn", "inn"), ("a" * 400, "a" * 400),
        ("a" * 401, '"' + "a" * 400 + '"...(401 characters)'),
        ("\x7f", '"\\u007f"'),
    ],
)  # fmt: skip
def test_names_stand_bare_only_where_they_are_plain_words(name: str, said: str) -> None:
    assert check.quoted(name) == said
    assert check.quoted(name, bare=False) == (said if said.startswith('"') else f'"{said}"')


def test_every_word_that_the_language_uses_is_reserved() -> None:
    for word in (
        "all",
        "and",
        "any",
        "at",
        "class",
        "each",
        "for",
        "iff",
        "implies",
        "least",
        "not",
        "of",
        "or",
        "predict",
        "x",
        "E",
    ):
        assert check.quoted(word) == f'"{word}"'


def test_formulas_are_written_as_the_language_writes_them() -> None:
    table = [
        ["predict", 0],
        ["predict", 1, "1/3"],
        ["stronger", 0, 2],
        ["has", 0],
        ["not", 3],
        ["implies", 0, 4],
        ["iff", 1, 2],
        ["or", 5, 6, 2],
        ["and", 7],
    ]
    assert check.written(table, FORMULA_MODEL, "y") == (
        "(predict(y, c0) implies (not (hasCon(y, k0)))) or (predict(y, c1, lead = 1/3) iff k0 > k2) or k0 > k2"
    )
    assert check.written(table[:1], FORMULA_MODEL) == "predict(x, c0)"
    long = [["stronger", 0, 1], *(["not", 0] for _ in range(399))]
    assert check.written(long, FORMULA_MODEL) == "not (k0 > k1)"
    assert check.written([*long, ["not", 0]], FORMULA_MODEL) == "... a formula of 401 nodes, not printed"


def test_what_is_left_out_of_a_formula_is_counted(monkeypatch) -> None:
    table = [["stronger", 0, 1], ["or", 0, 0, 0]]
    # Each part takes 7 characters, ` or ` another 4.
    monkeypatch.setattr(check, "LONGEST_FORMULA", 33)
    assert check.written(table, FORMULA_MODEL) == "k0 > k1 or k0 > k1 or k0 > k1"
    monkeypatch.setattr(check, "LONGEST_FORMULA", 32)
    assert (
        check.written(table, FORMULA_MODEL)
        == "k0 > k1 or k0 > k1 or ... 1 more of the 3 parts of this `or`, not printed"
    )
    monkeypatch.setattr(check, "LONGEST_FORMULA", 21)
    assert check.written(table, FORMULA_MODEL) == "k0 > k1 or ... 2 more of the 3 parts of this `or`, not printed"
    # `not (k0 > k1)` has 13 characters.
    for room, fine in ((9, True), (8, False)):
        monkeypatch.setattr(check, "LONGEST_FORMULA", room)
        monkeypatch.setattr(check, "LONGEST_TEXT", 4)
        said = check.written([["stronger", 0, 1], ["has", 0], ["not", 0]], FORMULA_MODEL)
        assert said == ("not (k0 > k1)" if fine else "... a `not` of 13 characters, not printed")

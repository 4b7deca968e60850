"""Certificates of neighbourhoods, spans, bands and leads that prove nothing: altered, and every digest made good again."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from fractions import Fraction
from math import isqrt
from typing import Any, NotRequired, TypedDict

import numpy as np

from conspect.core.digests import digest_arrays, digest_json
from conspect.verification.certificates.writing import tied

# A claim or a region as JSON. What stands where differs by kind, and here on purpose has the wrong value, form or type.
Claim = dict[str, Any]
RegionTree = dict[str, Any]


class CertificateTree(TypedDict):
    """The JSON of a certificate, read again to be altered; `verification.certificates.writing` says what each part is."""

    format: str
    seal: NotRequired[str]
    names: dict[str, list[str]]
    dimension: int
    head: list[dict[str, Any]]
    lens: dict[str, Any]
    thresholds: dict[str, str]
    regions: list[RegionTree]
    points: list[dict[str, Any]]
    claims: list[Claim]
    digests: dict[str, str]
    sources: dict[str, str]
    study: dict[str, str]


Change = Callable[[CertificateTree, random.Random], bool]


def retied(body: CertificateTree) -> CertificateTree:
    """The certificate with fresh digests of its claims, as a forger would write them."""
    for claim in body["claims"]:
        claim["digest"] = tied(claim, body["digests"])
    return body


def _near(change: Callable[[CertificateTree, Claim, random.Random], bool]) -> Change:
    """A change of one claim about neighbourhoods, sealed again."""

    def changed(body: CertificateTree, rng: random.Random) -> bool:
        claims = [claim for claim in body["claims"] if claim["kind"] == "near"]
        if not claims or not change(body, rng.choice(claims), rng):
            return False
        retied(body)
        return True

    return changed


def _proved_once_more(_: CertificateTree, claim: Claim, rng: random.Random) -> bool:
    claim["proved"] += rng.randrange(1, 3)
    return True


def _refuted_once_more(_: CertificateTree, claim: Claim, __: random.Random) -> bool:
    claim["refuted"] += 1
    return True


def _images_left_out(_: CertificateTree, claim: Claim, __: random.Random) -> bool:
    """Those without a proof are not counted among the images."""
    claim["trials"] = claim["proved"]
    return bool(claim["refuted"])


def _tree_emptied(_: CertificateTree, claim: Claim, __: random.Random) -> bool:
    claim["tree"] = [[], None, []]
    return bool(claim["proved"])


def _branch_dropped(_: CertificateTree, claim: Claim, __: random.Random) -> bool:
    if not claim["tree"][2]:
        return False
    claim["tree"][2].pop()
    return True


def _multiplier_negative(_: CertificateTree, claim: Claim, rng: random.Random) -> bool:
    pairs = [pair for alternative in claim["tree"][0] for pair in alternative]
    if not pairs:
        return False
    rng.choice(pairs)[1] *= -1
    return True


def _formula_opposite(_: CertificateTree, claim: Claim, __: random.Random) -> bool:
    """What is proved around an image said to be refuted there, and the other way round."""
    claim["formula"].append(["not", len(claim["formula"]) - 1])
    return bool(claim["proved"] or claim["refuted"])


def _refutation_outside(body: CertificateTree, claim: Claim, rng: random.Random) -> bool:
    if not claim["refutations"]:
        return False
    far = np.full(body["dimension"], 1e9)
    body["points"].append({"kind": "embedding", "float64": base64.b64encode(far.astype("<f8").tobytes()).decode()})
    rng.choice(claim["refutations"])[1] = len(body["points"]) - 1
    return True


def _refutation_dropped(_: CertificateTree, claim: Claim, rng: random.Random) -> bool:
    """One counterexample fewer than is counted."""
    if not claim["refutations"]:
        return False
    claim["refutations"].pop(rng.randrange(len(claim["refutations"])))
    return True


def _digest_of(region: RegionTree, width: int, radius: Fraction) -> str:
    """What a claim calls a region of neighbourhoods, computed anew."""
    centre, factor = (
        np.frombuffer(base64.b64decode(region[key]), "<f8").reshape(-1, width) for key in ("centre", "factor")
    )
    around = digest_arrays({"centre": np.zeros(width), "factor": factor})
    arrays = digest_arrays({"centre": centre}) + around
    return digest_json({"arrays": arrays, "cut": None, "shape": "near", "size": str(radius)})


def _width(region: RegionTree) -> int:
    return isqrt(len(base64.b64decode(region["factor"])) // 8)


def _radius_huge(body: CertificateTree, claim: Claim, _: random.Random) -> bool:
    """Neighbourhoods so large that each contains what refutes the formula around another image."""
    if not claim["proved"] or not claim["refuted"] or claim["radius"] == "0":
        return False
    region = body["regions"][claim["region"]]
    radius = Fraction(claim["radius"]) * (1 << 200)
    claim["radius"], claim["region_digest"] = str(radius), _digest_of(region, _width(region), radius)
    return True


def _all_around_one(body: CertificateTree, claim: Claim, rng: random.Random) -> bool:
    """All images moved to one that refutes the formula."""
    if not claim["proved"] or not claim["refutations"]:
        return False
    region = dict(body["regions"][claim["region"]])
    width = _width(region)
    centres = np.frombuffer(base64.b64decode(region["centre"]), "<f8").reshape(-1, width)
    moved = np.repeat(centres[[rng.choice(claim["refutations"])[0]]], len(centres), axis=0)
    region["centre"] = base64.b64encode(moved.tobytes()).decode()
    claim["region_digest"] = _digest_of(region, width, Fraction(claim["radius"]))
    claim["region"] = len(body["regions"])
    body["regions"].append(region)
    return True


def _radius_halved(_: CertificateTree, claim: Claim, __: random.Random) -> bool:
    """A smaller neighbourhood than its digest says."""
    radius = Fraction(claim["radius"]) / 2
    claim["radius"] = str(radius)
    return radius > 0


def _test_passed(_: CertificateTree, claim: Claim, __: random.Random) -> bool:
    """A share that no number of images can show."""
    if claim["verdict"] != "holds" or claim["share"] is None:
        return False
    claim["share"] = "1"
    return True


def _one_image_alone(_: CertificateTree, claim: Claim, __: random.Random) -> bool:
    """What is said of a share of several images said of one of them."""
    if claim["share"] is None or claim["verdict"] == "unknown" or claim["trials"] == 1:
        return False
    claim["share"] = None
    return True


def _other_readouts(body: CertificateTree, rng: random.Random) -> bool:
    """A region of other readouts than it is made of."""
    claims = [claim for claim in body["claims"] if claim.get("reads")]
    if not claims:
        return False
    claim = rng.choice(claims)
    reads = claim["reads"]
    reads["strengths"] = rng.choice([form for form in ("each", "relative", "length") if form != reads["strengths"]])
    retied(body)
    return True


def _other_concepts(body: CertificateTree, rng: random.Random) -> bool:
    """A region that is said, by itself and by all claims about it, to be made of another list of concepts."""
    numbers = [k for k, region in enumerate(body["regions"]) if region.get("reads") and region["reads"]["concepts"]]
    if not numbers:
        return False
    number = rng.choice(numbers)
    concepts, known = body["regions"][number]["reads"]["concepts"], len(body["names"]["concepts"])
    others = [k for k in range(known) if k not in concepts]
    lists = [[*concepts, concepts[-1]], [*concepts, known], concepts[1:], concepts[:-1], [-1, *concepts[1:]]]
    lists += [concepts[::-1]] if len(concepts) > 1 else []
    lists += [sorted([*concepts, k]) for k in others[:1]]
    changed = rng.choice(lists)
    body["regions"][number]["reads"]["concepts"] = changed
    for claim in body["claims"]:
        if claim.get("region") == number and claim.get("reads"):
            claim["reads"]["concepts"] = changed
    retied(body)
    return any(claim.get("region") == number and claim["verdict"] != "unknown" for claim in body["claims"])


def _lead_negative(body: CertificateTree, rng: random.Random) -> bool:
    """A lead behind: what is asked of a prediction is less than nothing."""
    nodes = [node for claim in body["claims"] for node in claim["formula"] if node[0] == "predict"]
    if not nodes:
        return False
    node = rng.choice(nodes)
    node[2:] = [str(-Fraction(node[2]) if len(node) > 2 else Fraction(-1))]
    retied(body)
    return True


def _conclusion_refuted(body: CertificateTree, rng: random.Random) -> bool:
    """A counterexample to a conclusion alone, which refutes no property."""
    claims = [claim for claim in body["claims"] if claim["kind"] == "region" and claim["verdict"] == "violated"]
    if not claims:
        return False
    rng.choice(claims)["part"] = "conclusion"
    retied(body)
    return True


NEAR: dict[str, Change] = {
    "proved around more images": _near(_proved_once_more),
    "refuted around more images": _near(_refuted_once_more),
    "images without a proof left out": _near(_images_left_out),
    "no multipliers at all": _near(_tree_emptied),
    "a case of a disjunction dropped": _near(_branch_dropped),
    "a negative multiplier around images": _near(_multiplier_negative),
    "the opposite formula around images": _near(_formula_opposite),
    "a refutation outside the neighbourhood": _near(_refutation_outside),
    "a refutation dropped": _near(_refutation_dropped),
    "neighbourhoods blown up": _near(_radius_huge),
    "all images moved to a refuted one": _near(_all_around_one),
    "a smaller neighbourhood than its digest": _near(_radius_halved),
    "a share of images made certain": _near(_test_passed),
    "a share said of one image": _near(_one_image_alone),
    "other readouts": _other_readouts,
    "a region of another list of concepts": _other_concepts,
    "a lead that is negative": _lead_negative,
    "a conclusion refuted": _conclusion_refuted,
}

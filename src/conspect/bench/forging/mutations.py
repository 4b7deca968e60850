"""Certificates that prove nothing: altered copies of a good one, the later kinds sealed again as a forger would."""

from __future__ import annotations

import base64
import copy
import hashlib
import random
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from conspect.bench.forging.mutations_near import NEAR, CertificateTree, Change, Claim, retied
from conspect.verification.certificates.writing import sealed

# Tries in a row without a mutation after which there is nothing to change.
FRUITLESS = 200


def mutated(body: CertificateTree, count: int, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """`count` mutations of a certificate with the name of what was done; none of a kind that has nothing to change there."""
    body = copy.copy(body)
    body.pop("seal", None)
    text = sealed(body)
    made = tries = 0
    while made < count and tries < FRUITLESS:
        tries += 1
        how = rng.choice([*TEXTUAL, *STRUCTURAL])
        data: bytes | None
        if how in TEXTUAL:
            data = TEXTUAL[how](text, rng)
        else:
            copied = copy.deepcopy(body)
            done = STRUCTURAL[how](copied, rng)
            data = sealed(copied) if done else None
        if data is not None and data != text:
            made, tries = made + 1, 0
            yield how, data


def _flip(text: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(text))
    return text[:place] + bytes([text[place] ^ (1 << rng.randrange(8))]) + text[place + 1 :]


def _cut(text: bytes, rng: random.Random) -> bytes:
    return text[: rng.randrange(len(text))]


def _double(text: bytes, _: random.Random) -> bytes:
    rest = b'"format":"conspect-certificate-3",' + text[75:]
    return b'{"seal":"' + hashlib.sha256(rest).hexdigest().encode() + b'",' + rest


def _digit(text: bytes, rng: random.Random) -> bytes:
    digits = [k for k in rng.sample(range(len(text)), min(len(text), 2000)) if chr(text[k]).isdigit()]
    if not digits:
        return text
    place = digits[0]
    return text[:place] + str((int(chr(text[place])) + rng.randrange(1, 10)) % 10).encode() + text[place + 1 :]


def _deep(text: bytes, _: random.Random) -> bytes:
    return text.replace(b'"claims":', b'"claims":' + b"[" * 100_000, 1)


TEXTUAL: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "a bit flipped": _flip,
    "truncated": _cut,
    "a key doubled": _double,
    "a digit changed": _digit,
    "nested deeply": _deep,
}


def _claim(body: CertificateTree, rng: random.Random, verdict: str) -> Claim | None:
    fitting = [claim for claim in body["claims"] if claim["verdict"] == verdict and claim["kind"] == "region"]
    return rng.choice(fitting) if fitting else None


def _close(body: CertificateTree, rng: random.Random) -> list[Any] | None:
    claim = _claim(body, rng, "holds")
    steps = [step for step in claim["proof"] if step[0] == "close"] if claim else []
    return rng.choice(steps) if steps else None


def _multiplier(value: Callable[[int], int]) -> Change:
    def change(body: CertificateTree, rng: random.Random) -> bool:
        step = _close(body, rng)
        if not step or not step[1]:
            return False
        pair = rng.choice(step[1])
        pair[1] = value(pair[1])
        return True

    return change


def _no_such_literal(body: CertificateTree, rng: random.Random) -> bool:
    step = _close(body, rng)
    if not step or not step[1]:
        return False
    rng.choice(step[1])[0] = rng.choice([-1, 10**6])
    return True


def _branch_left_out(body: CertificateTree, rng: random.Random) -> bool:
    claim = _claim(body, rng, "holds")
    if claim is None or not claim["proof"]:
        return False
    claim["proof"].pop(rng.randrange(len(claim["proof"])))
    return True


def _size(factor: int) -> Change:
    def change(body: CertificateTree, rng: random.Random) -> bool:
        regional = [claim for claim in body["claims"] if claim["kind"] == "region"]
        if not regional:
            return False
        claim = rng.choice(regional)
        claim["size"] = str(Fraction(claim["size"]) * Fraction(2) ** factor)
        retied(body)
        return True

    return change


def _classes_swapped(body: CertificateTree, _: random.Random) -> bool:
    names = body["names"]["classes"]
    names[0], names[1] = names[1], names[0]
    return bool(body["claims"])


def _array(value: float) -> Change:
    def change(body: CertificateTree, rng: random.Random) -> bool:
        holder, key = rng.choice(
            [(layer, "weight") for layer in body["head"]]
            + [(body["lens"], key) for key in ("weight", "offset", "directions")]
            + [(region, key) for region in body["regions"] for key in ("centre", "factor")]
        )
        raw = bytearray(base64.b64decode(holder[key]))
        place = 8 * rng.randrange(len(raw) // 8)
        if struct.unpack_from("<d", raw, place)[0] == value:
            return False
        struct.pack_into("<d", raw, place, value)
        holder[key] = base64.b64encode(bytes(raw)).decode()
        retied(body)
        return bool(body["claims"])

    return change


def _witness_outside(body: CertificateTree, rng: random.Random) -> bool:
    claim = _claim(body, rng, "violated")
    if claim is None or claim["kind"] != "region":
        return False
    far = {"kind": "coordinates", "numerators": [10**9] * body["dimension"], "denominator": 1}
    body["points"].append(far | {"region": claim["region"]})
    claim["witness"] = len(body["points"]) - 1
    return True


def _formula_denied(body: CertificateTree, rng: random.Random) -> bool:
    """The opposite claim with the same evidence, every digest made good; a cut could leave nothing to deny."""
    claim = _claim(body, rng, rng.choice(["holds", "violated"]))
    if claim is None or claim["kind"] != "region" or claim["cut"] is not None:
        return False
    claim["formula"].append(["not", len(claim["formula"]) - 1])
    retied(body)
    return True


def _verdict_swapped(body: CertificateTree, rng: random.Random) -> bool:
    decided = [claim for claim in body["claims"] if claim["verdict"] != "unknown"]
    if not decided:
        return False
    claim = rng.choice(decided)
    claim["verdict"] = {"holds": "violated", "violated": "holds"}[claim["verdict"]]
    retied(body)
    return True


def _image_denied(body: CertificateTree, rng: random.Random) -> bool:
    """The opposite of what is true at an image, every digest made good."""
    images = [claim for claim in body["claims"] if claim["kind"] == "image" and claim["verdict"] != "unknown"]
    if not images:
        return False
    claim = rng.choice(images)
    claim["formula"].append(["not", len(claim["formula"]) - 1])
    retied(body)
    return True


def _share_made_certain(body: CertificateTree, rng: random.Random) -> bool:
    shares = [claim for claim in body["claims"] if claim["kind"] == "share" and claim["verdict"] == "holds"]
    if not shares:
        return False
    rng.choice(shares)["share"] = "1"
    retied(body)
    return True


def _cycle_cut(body: CertificateTree, rng: random.Random) -> bool:
    """A cycle over a band without one of its axes, which then does not return to where it began."""
    steps = [s for c in body["claims"] for s in c.get("proof", []) if s[0] == "cycle" and s[2]]
    if not steps:
        return False
    axes = rng.choice(steps)[2]
    axes.pop(rng.randrange(len(axes)))
    return True


def _end_beyond(body: CertificateTree, rng: random.Random) -> bool:
    """What is proved at the largest size claimed at the size that is refuted, the region's digest made good."""
    claims = {claim["name"]: claim for claim in body["claims"]}
    pairs = [
        (c, claims[f"{name[:-4]} high"])
        for name, c in claims.items()
        if name.endswith(" low") and f"{name[:-4]} high" in claims
    ]
    if not pairs:
        return False
    low, high = rng.choice(pairs)
    low |= {key: high[key] for key in ("size", "region_digest", "region", "reads", "cut")}
    retied(body)
    return True


def _extent_widened(body: CertificateTree, rng: random.Random) -> bool:
    """An extent up to the place where it is said to be false, and nothing said of that place."""
    extents = [claim for claim in body["claims"] if claim["kind"] == "extent"]
    ends = [(claim, *ends) for claim in extents for ends in (("low", "before"), ("high", "after")) if claim[ends[1]]]
    if not ends:
        return False
    claim, inner, outer = rng.choice(ends)
    claim[inner], claim[outer] = claim[outer], None
    retied(body)
    return True


def _extent_ended_early(body: CertificateTree, rng: random.Random) -> bool:
    """A place well inside an extent said to lie just outside it."""
    extents = [claim for claim in body["claims"] if claim["kind"] == "extent" and Fraction(claim["high"]) > 0]
    if not extents:
        return False
    claim = rng.choice(extents)
    claim["after"], claim["high"] = claim["high"], str(Fraction(claim["high"]) * Fraction(1, 2))
    retied(body)
    return True


STRUCTURAL: dict[str, Change] = {
    "a multiplier made zero": _multiplier(lambda _: 0),
    "a multiplier made negative": _multiplier(lambda value: -value),
    "a multiplier of 5,000 digits": _multiplier(lambda _: 10**4200),
    "a multiplier for no literal": _no_such_literal,
    "a step of a proof left out": _branch_left_out,
    "a smaller region": _size(-1),
    "a larger region": _size(1),
    "classes swapped": _classes_swapped,
    "a NaN in an array": _array(float("nan")),
    "an infinity in an array": _array(float("inf")),
    "a number in an array changed": _array(1.015625),
    "a witness outside the region": _witness_outside,
    "the opposite formula": _formula_denied,
    "the opposite verdict": _verdict_swapped,
    "the opposite at an image": _image_denied,
    "a share made certain": _share_made_certain,
    "a cycle cut open": _cycle_cut,
    "an end of sizes moved beyond the refuted one": _end_beyond,
    "an extent widened": _extent_widened,
    "an extent ended early": _extent_ended_early,
    **NEAR,
}

"""Certificates written down number by number, with all digests and the seal as the format says: no code of the project is
asked what they are."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

Tree = dict[str, Any]
Matrix = Sequence[Sequence[float]]

EVIDENCE = {"digest", "point", "proof", "refutations", "region", "tree", "witness"}
# Logits over 16, strengths over 8: neither stands over the other's denominator, nor do M and d.
HEAD: list[tuple[Matrix, Sequence[float]]] = [([[1.0, 0.5], [-0.25, 1.0], [-1.0, -1.0]], [0.0, 0.5, 0.0625])]
LENS: tuple[Matrix, Sequence[float], Matrix] = (
    [[1.0, 0.5], [0.0, 2.0]],
    [0.25, -1.0],
    [[1.0, 0.0], [0.5, 0.5], [0.0, -1.0]],
)
# Thresholds below and above 0, and 0 itself.
THRESHOLDS = {"k0": "1/4", "k1": "-1/3", "k2": "0"}
BOX: Tree = {"shape": "box", "centre": [0.0, 9.0], "factor": [1.0, 1.0], "reads": None}
REGION_CLAIM: Tree = {
    "kind": "region", "verdict": "holds", "class": "c0", "coverage": None, "cut": None, "part": "whole", "region": 0,
    "size": "1", "formula": [["stronger", 0, 1]], "proof": [["close", [[0, 1]]]],
}  # fmt: skip


def joint(own: object, presence: bool, concepts: int = 3) -> Tree:
    """What a region of readouts is made of: all concepts relative to the first, or with the length as they are."""
    return {"class": own, "concepts": [*range(concepts)], "strengths": "length" if presence else "relative"}


def f8(values: Iterable[float]) -> str:
    """Little-endian float64 in base64."""
    numbers = list(values)
    return base64.b64encode(struct.pack(f"<{len(numbers)}d", *numbers)).decode()


def flat(rows: Iterable[Iterable[float]]) -> list[float]:
    return [value for row in rows for value in row]


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def arrays_digest(**arrays: tuple[str, Sequence[int], bytes]) -> str:
    state = hashlib.sha256()
    for name in sorted(arrays):
        dtype, shape, raw = arrays[name]
        state.update(json.dumps([name.replace("_", "."), dtype, list(shape)]).encode())
        state.update(raw)
    return state.hexdigest()


def packed(values: Iterable[float], *shape: int) -> tuple[str, Sequence[int], bytes]:
    return "<f8", shape, base64.b64decode(f8(values))


def region_arrays(region: Tree) -> str:
    """The digest of a region's arrays, which are still lists here; the factor of `near` is around zero."""
    if region["shape"] == "near":
        rows, factor = region["centre"], region["factor"]
        width = len(rows[0])
        centres = arrays_digest(centre=packed(flat(rows), len(rows), width))
        return centres + arrays_digest(
            centre=packed([0.0] * width, width), factor=packed(flat(factor), width, len(factor[0]))
        )
    centre, factor = region["centre"], region["factor"]
    nested = bool(factor) and isinstance(factor[0], list)
    numbers = flat(factor) if nested else factor
    shape = (len(factor), len(factor[0])) if nested else (len(factor),)
    return arrays_digest(centre=packed(centre, len(centre)), factor=packed(numbers, *shape))


def region_digest(region: Tree, size: str, cut: int | None) -> str:
    return digest({"arrays": region_arrays(region), "cut": cut, "shape": region["shape"], "size": size})


def encoded_region(region: Tree) -> Tree:
    """The same with its arrays in base64."""
    whole = {name: region[name] for name in ("centre", "factor")}
    return region | {
        name: f8(flat(value) if value and isinstance(value[0], list) else value) for name, value in whole.items()
    }


def body_of(
    *claims: Tree,
    regions: Sequence[Tree] = (BOX,),
    points: Sequence[Tree] = (),
    head: Sequence[tuple[Matrix, Sequence[float]]] = tuple(HEAD),
    lens: tuple[Matrix, Sequence[float], Matrix] = LENS,
    thresholds: dict[str, str] | None = None,
) -> Tree:
    """A certificate without its seal. Claims get what they leave out of name, file, statement, digests and readouts."""
    layers, parts, dimension = [], {}, len(lens[0][0])
    for number, (weight, offset) in enumerate(head):
        layers.append({"weight": f8(flat(weight)), "offset": f8(offset), "outputs": len(weight)})
        parts[f"{number}_weight"] = packed(flat(weight), len(weight), len(weight[0]))
        parts[f"{number}_offset"] = packed(offset, len(offset))
    classes = [f"c{k}" for k in range(len(head[-1][0]))]
    concepts = [f"k{k}" for k in range(len(lens[2]))]
    limits = THRESHOLDS if thresholds is None else thresholds
    names = "\0".join(concepts).encode()
    of_lens = arrays_digest(
        weight=packed(flat(lens[0]), len(lens[0]), dimension),
        offset=packed(lens[1], len(lens[1])),
        directions=packed(flat(lens[2]), len(lens[2]), len(lens[0])),
        names=("|u1", (len(names),), names),
    )
    digests = {"head": digest([arrays_digest(**parts), classes]), "lens": digest([of_lens, limits])}
    whole = []
    for claim in claims:
        own: Tree = {"file": "f.cspec", "name": "p", "statement": "s"} | claim
        if isinstance(own.get("region"), int) and 0 <= own["region"] < len(regions):
            region = regions[own["region"]]
            if own["kind"] in ("region", "near"):
                own = {"reads": region["reads"]} | own
                size = own["size"] if own["kind"] == "region" else own["radius"]
                own = {"region_digest": region_digest(region, size, own.get("cut"))} | own
        said = {key: value for key, value in own.items() if key not in EVIDENCE}
        whole.append({"digest": digest(said | digests)} | own)
    return {
        "format": "conspect-certificate-3", "sources": {}, "study": {}, "dimension": dimension,
        "points": list(points), "regions": [encoded_region(region) for region in regions],
        "names": {"classes": classes, "concepts": concepts}, "thresholds": limits, "head": layers, "claims": whole,
        "lens": {"weight": f8(flat(lens[0])), "offset": f8(lens[1]), "directions": f8(flat(lens[2])), "width": len(lens[0])},
        "digests": digests,
    }  # fmt: skip


def sealed(body: object) -> bytes:
    """As bytes with a seal: SHA-256 of all that follows it."""
    rest = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()[1:]
    return b'{"seal":"' + hashlib.sha256(rest).hexdigest().encode() + b'",' + rest


def exactly(values: Iterable[float]) -> list[Fraction]:
    return [Fraction(value) for value in values]


def affine(weight: Matrix, offset: Sequence[float], z: Sequence[Fraction]) -> list[Fraction]:
    """W z + b in fractions."""
    return [
        sum((Fraction(w) * x for w, x in zip(row, z, strict=True)), Fraction(b))
        for row, b in zip(weight, offset, strict=True)
    ]


def readings(
    z: Sequence[Fraction],
    head: Sequence[tuple[Matrix, Sequence[float]]] = tuple(HEAD),
    lens: tuple[Matrix, Sequence[float], Matrix] = LENS,
) -> tuple[list[Fraction], list[Fraction], Fraction]:
    """Logits, strengths and squared length |y|^2 at an embedding, in fractions."""
    values = list(z)
    for depth, (weight, offset) in enumerate(head):
        values = affine(weight, offset, [max(v, Fraction(0)) for v in values] if depth else values)
    y = affine(lens[0], lens[1], z)
    return values, affine(lens[2], [0.0] * len(lens[2]), y), sum((v * v for v in y), Fraction(0))

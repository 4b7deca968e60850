#!/usr/bin/env python3
"""Checks Conspect certificates in exact arithmetic, with the standard library alone: `python3 check.py FILE...`.

A certificate carries the numbers it speaks of (head, lens, regions, points) and, for each claim, a proof or a witness.
This file rebuilds the negation of every claimed formula by itself, walks the proof through it, and accepts a closed
branch only if its multipliers exclude that any embedding of the region satisfies the branch's literals. Every number is
an integer or a fraction: there is no division that rounds, and a float, wherever it came from, is refused.
docs/verification.md has the format and the mathematics. Exit code 0: everything accepted; 1: something refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import stat
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import cached_property, reduce
from itertools import compress, pairwise, repeat
from operator import add, and_, mul, or_, sub
from pathlib import Path
from typing import Any, NamedTuple

FORMAT = "conspect-certificate-3"
LARGEST_FILE, LONGEST_NUMBER, LONGEST_TEXT, LONGEST_FORMULA = 1 << 29, 4000, 400, 4000
MOST_STEPS, MOST_LITERALS, LONGEST_POWER = 5_000_000, 250_000, 10_000_000
SHORT_SHARE, ROOT, FINER, NEARLY = 64, 160, 64, 1 << 32
SECONDS, MEGABYTES = 300, 4096
HIDDEN, MANTISSA, MAGNITUDE = 1 << 52, (1 << 52) - 1, (1 << 63) - 1
# Words that the language has a use of its own for, so that a name which is one stands in quotes.
RESERVED = """ E Module all and any at class con concept each every for forall hasCon iff image imageCon images img implies in
 lead least near network not of or predict property rep v where x y """.replace("\n", "")

Shape = tuple[int, ...]
Table = list[list[Any]]
Ends = dict[int, tuple[Fraction, Fraction]]
Expected = Sequence[tuple[str, str]]
# A weight and the affine form (slope, constant) in w that it multiplies.
Part = tuple[Any, Sequence[int], int]


class Refused(Exception):
    """The certificate proves nothing; the message says why."""


class Claim(NamedTuple):
    """A claim that was checked: its name, its verdict, and what is claimed, in the language."""

    name: str
    verdict: str
    statement: str


def need(condition: object, reason: str) -> None:
    """Refuses unless the condition is true."""
    if not condition:
        raise Refused(reason)


def exact(value: Any) -> Any:
    """The value itself, an integer or a fraction: a float anywhere in a computation makes its result a float."""
    if type(value) is not int and type(value) is not Fraction:
        raise Refused(f"a {type(value).__name__} came into exact arithmetic")
    return value


class Budget:
    """What a check may cost: every loop asks for the time that is left, every array for its memory."""

    def __init__(self, seconds: int = SECONDS, megabytes: int = MEGABYTES) -> None:
        self.seconds, self.megabytes = seconds, megabytes
        self.end = time.monotonic_ns() + seconds * 1_000_000_000
        self.left = megabytes * 1_000_000

    def spend(self) -> None:
        """Refuses once the time is over."""
        if time.monotonic_ns() > self.end:
            raise Refused(f"not checked within {self.seconds} s; allow more with --seconds")

    def hold(self, numbers: int, bits: int) -> int:
        """The memory that integers of this length take; refuses once it would be more than allowed."""
        taken = numbers * (40 + bits // 7)
        self.left -= taken
        need(self.left >= 0, f"its numbers take more than {self.megabytes} MB; allow more with --megabytes")
        return taken


# ---------------------------------------------------------------- reading


def load(data: bytes, budget: Budget) -> Any:
    """The JSON object of a certificate; refuses doubled keys, floats, NaN, overlong numbers, deep nesting."""

    def unique(pairs: Any) -> dict[str, Any]:
        fields = dict(pairs)
        need(len(fields) == len(pairs), "a key appears twice in one object")
        return fields

    def integer(text: Any) -> int:
        need(len(text) <= LONGEST_NUMBER, "a number is too long")
        return int(text)

    def refuse(text: Any) -> None:
        raise Refused(f"{text[:40]!r} is not an integer; certificates carry no JSON floats")

    need(len(data) <= LARGEST_FILE, "the file is too large")
    seal = data[:9] + hashlib.sha256(data[75:]).hexdigest().encode() + data[73:75]
    need(data[:75] == seal and seal[:9] + seal[73:] == b'{"seal":"",', "the seal is broken, or there is none")
    budget.hold(data.count(b",") + data.count(b"[") + data.count(b"{"), 400)
    budget.hold(1, 8 * len(data))
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=unique, parse_int=integer, parse_float=refuse, parse_constant=refuse
        )
    except (ValueError, RecursionError) as error:
        raise Refused(f"not readable as JSON: {str(error)[:200]}") from None


def fields(value: Any, names: Sequence[str], what: str) -> list[Any]:
    """The values of an object that must have exactly these keys."""
    need(isinstance(value, dict) and set(value) == set(names), f"{what} must have exactly the keys {sorted(names)}")
    return [value[name] for name in names]


def whole(value: Any, low: int, high: int, what: str) -> int:
    """An integer of a range; booleans are refused."""
    need(type(value) is int and low <= value <= high, f"{what} is not an integer from {low} to {high}")
    return int(value)


def chosen(number: Any, among: Sequence[Any], what: str) -> Any:
    """The one of this number."""
    return among[whole(number, 0, len(among) - 1, f"{what}'s number")]


def rational(text: Any, what: str) -> Fraction:
    """A fraction written as `p` or `p/q` in lowest terms."""
    need(isinstance(text, str) and len(text) <= LONGEST_NUMBER, f"{what} is not a fraction")
    above, _, below = text.partition("/")
    need(all(p.isascii() and p.isdigit() for p in (above.removeprefix("-"), below or "1")), f"{what} is not a fraction")
    need(int(below or 1) > 0, f"{what} has a denominator that is not positive")
    value = Fraction(int(above), int(below or 1))
    need(str(value) == text, f"{what} is not written in lowest terms")
    return value


def digest_text(value: Any, what: str) -> str:
    """A SHA-256 in hexadecimal."""
    need(isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef"), f"{what} is no digest")
    return str(value)


def octets(value: Any, count: int, what: str) -> bytes:
    """So many bytes, written in base64 in the one way that is canonical."""
    need(isinstance(value, str), f"{what} is not base64 text")
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(f"{what} is not base64 text") from None
    need(base64.b64encode(raw).decode() == value, f"{what} is not canonical base64")
    need(len(raw) == count, f"{what} has {len(raw)} bytes and not {count}")
    return raw


def floats(value: Any, shape: Shape, what: str, budget: Budget) -> tuple[bytes, list[int], int]:
    """Raw bytes and exact integers (over 2**shift, the third) of a base64 float64 array, from its bits: no float exists."""
    count = reduce(mul, shape, 1)
    raw = octets(value, 8 * count, what)
    budget.spend()
    bits = array("Q")
    bits.frombytes(raw)
    if sys.byteorder == "big":
        bits.byteswap()
    exponents = [b >> 52 & 2047 for b in bits]
    need(2047 not in exponents, f"{what} has a NaN or an infinity")
    # A value is mantissa * 2**(exponent - 1075); the lowest bit that is set anywhere decides the shift.
    lowest = min(1075, 1075, *(e or 1 for e, b in zip(exponents, bits) if b & MAGNITUDE))
    budget.hold(count, max(exponents, default=0) - lowest + 53)
    integers = [
        ((b & MANTISSA | (HIDDEN if e else 0)) << (e or 1) - lowest if b & MAGNITUDE else 0) * (-1 if b >> 63 else 1)
        for b, e in zip(bits, exponents)
    ]
    every = reduce(or_, integers, 0)
    spare = min((every & -every).bit_length() - 1, 1075 - lowest) if every else 1075 - lowest
    if spare:
        integers = [v >> spare for v in integers]
    shift = 1075 - lowest - spare
    return raw, integers, shift


def digest_json(value: Any) -> str:
    """SHA-256 of canonical JSON, as Conspect computes it."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def digest_arrays(arrays: Any) -> str:
    """SHA-256 over `{name: (dtype, shape, bytes)}`, as Conspect computes it."""
    state = hashlib.sha256()
    for name in sorted(arrays):
        dtype, shape, raw = arrays[name]
        state.update(json.dumps([name, dtype, list(shape)]).encode() + raw)
    return state.hexdigest()


# ---------------------------------------------------------------- exact affine forms


def dot(left: Any, right: Any) -> Any:
    """Exact inner product of two sequences of integers."""
    return exact(sum(map(mul, left, right)))


def root_above(number: int) -> int:
    """The first integer above the square root, by Newton's method."""
    guess = 1 << number.bit_length() // 2 + 1 if number else 0
    while number and (better := (guess + number // guess) // 2) < guess:
        guess = better
    return guess + 1


def over_one(values: Sequence[Any]) -> tuple[list[int], int]:
    """Integers and fractions over their least common denominator."""
    common = reduce(lambda b, d: b * Fraction(d, b).numerator, {exact(v).denominator for v in values}, 1)
    return [int(value * common) for value in values], common


def combined(parts: Sequence[Part]) -> tuple[list[int], int, int]:
    """The sum of weighted forms as integers: slope and constant, both over the denominator that comes third."""
    weights, common = over_one([weight for weight, _, _ in parts])
    slope: list[int] = []
    constant = 0
    for weight, row, start in zip(weights, (row for _, row, _ in parts), (start for _, _, start in parts)):
        if weight in (1, -1):
            slope = list(map(add if weight == 1 else sub, slope or repeat(0), row))
        elif weight:
            slope = [a + weight * b for a, b in zip(slope or repeat(0), row)]
        constant += weight * start
    return slope, exact(constant), common


class Forms:
    """Affine forms (rows[r] . x + constants[r]) / 2**shift in integers."""

    def __init__(self, rows: Any, constants: Any, shift: int) -> None:
        self.rows, self.constants, self.shift = rows, constants, shift

    @cached_property
    def columns(self) -> list[Any]:
        """The rows, turned."""
        return list(zip(*self.rows))

    @classmethod
    def read(cls, weight: Any, offset: Any, shape: Shape, what: str, budget: Budget) -> tuple[Forms, bytes, bytes]:
        """From two base64 arrays; also their raw bytes."""
        raw_weight, numbers, weight_shift = floats(weight, shape, f"{what} weight", budget)
        raw_offset, constants, offset_shift = floats(offset, shape[:1], f"{what} offset", budget)
        shift, width = max(weight_shift, offset_shift), shape[1]
        budget.hold(len(numbers) if shift > weight_shift else 0, shift + 64)
        rows = [[v << (shift - weight_shift) for v in numbers[k * width : (k + 1) * width]] for k in range(shape[0])]
        return cls(rows, [v << (shift - offset_shift) for v in constants], shift), raw_weight, raw_offset


class Model:
    """Head, lens and thresholds of a certificate; base rows are logits, strengths and zero, in this order."""

    def __init__(self, body: dict[str, Any], budget: Budget) -> None:
        self.budget = budget
        names = fields(body["names"], ["classes", "concepts"], "names")
        for group in names:
            need(isinstance(group, list) and all(isinstance(n, str) and len(n) < 10_000 for n in group), "bad names")
            need(len(set(group)) == len(group) > 0, "a name appears twice, or there is none")
        self.class_names, self.concept_names = names
        self.classes, self.concepts = map(len, names)
        self.dimension = whole(body["dimension"], 1, 1 << 20, "the dimension")
        self.read_head(body["head"])
        self.thresholds = {}
        need(isinstance(body["thresholds"], dict), "thresholds are not an object")
        places = {name: k for k, name in enumerate(self.concept_names)}
        for key, text in body["thresholds"].items():
            need(key in places, "a threshold belongs to no concept")
            self.thresholds[places[key]] = rational(text, "a threshold")
        self.read_lens(body["lens"], body["thresholds"])
        self.linear = len(self.layers) == 1
        self.shift = max(self.layers[0].shift if self.linear else 0, self.mapped.shift + self.directions_shift)
        self.kept: dict[int, tuple[Sequence[int], int]] = {}

    def read_head(self, layers: Any) -> None:
        """Layers with ReLU between them; the digest covers the names of the classes."""
        need(isinstance(layers, list) and layers, "the head has no layers")
        self.layers: list[Forms] = []
        parts: dict[str, Any] = {}
        width = self.dimension
        for k, layer in enumerate(layers):
            weight, offset, outputs = fields(layer, ["weight", "offset", "outputs"], "a layer")
            shape = (whole(outputs, 1, 1 << 20, "a layer's width"), width)
            forms, raw_weight, raw_offset = Forms.read(weight, offset, shape, f"layer {k}", self.budget)
            self.layers.append(forms)
            parts |= {f"{k}.weight": ("<f8", shape, raw_weight), f"{k}.offset": ("<f8", shape[:1], raw_offset)}
            width = shape[0]
        need(width == self.classes, "the head's last layer does not give one logit per class")
        self.head_digest = digest_json([digest_arrays(parts), self.class_names])

    def read_lens(self, lens: Any, thresholds: Any) -> None:
        """The alignment M z + d and the directions Q; the digest covers the names of the concepts and thresholds."""
        weight, offset, directions, width = fields(lens, ["weight", "offset", "directions", "width"], "the lens")
        width = whole(width, 1, 1 << 20, "the lens's width")
        self.mapped, raw_weight, raw_offset = Forms.read(weight, offset, (width, self.dimension), "lens", self.budget)
        raw, numbers, self.directions_shift = floats(directions, (self.concepts, width), "the directions", self.budget)
        self.directions = [numbers[k * width : (k + 1) * width] for k in range(self.concepts)]
        text = "\0".join(self.concept_names).encode()
        arrays = {
            "weight": ("<f8", (width, self.dimension), raw_weight),
            "offset": ("<f8", (width,), raw_offset),
            "directions": ("<f8", (self.concepts, width), raw),
            "names": ("|u1", (len(text),), text),
        }
        self.lens_digest = digest_json([digest_arrays(arrays), thresholds])

    @property
    def zero(self) -> int:
        """The base row that is zero everywhere."""
        return self.classes + self.concepts

    def bar(self, concept: int) -> int:
        """The row of threshold times |y|, in regions that read the length; the length itself is the row after zero."""
        return self.zero + 2 + concept

    def row(self, index: int) -> tuple[Sequence[int], int]:
        """Slope and constant of a base form in z, over 2**shift; strengths are Q (M z + d), not a rounded product."""
        need(index <= self.zero, "only regions of readouts have such a row")
        if index not in self.kept:
            self.budget.spend()
            if index == self.zero:
                slope, constant, shift = [0] * self.dimension, 0, self.shift
            elif index < self.classes:
                need(self.linear, "a logit of a head with ReLU layers is not linear")
                layer = self.layers[0]
                slope, constant, shift = layer.rows[index], layer.constants[index], layer.shift
            else:
                q = self.directions[index - self.classes]
                slope = [dot(q, column) for column in self.mapped.columns]
                constant, shift = dot(q, self.mapped.constants), self.mapped.shift + self.directions_shift
            k = self.shift - shift
            self.budget.hold(len(slope), self.shift + 64)
            self.kept[index] = ([v << k for v in slope] if k else slope, constant << k)
        return self.kept[index]


class Readouts(NamedTuple):
    """Logits relative to that of a class (or none), then strengths of some concepts, in the order of their numbers.

    `form`: strengths as they are (each), relative to that of the first of these concepts, or as they are and |y| (length).
    """

    class_index: int | None
    concepts: tuple[int, ...]
    form: str

    @classmethod
    def read(cls, value: Any, model: Model) -> Readouts:
        """From a region's `reads`."""
        index, concepts, form = fields(value, ["class", "concepts", "strengths"], "readouts")
        need(index is None or whole(index, 0, model.classes - 1, "a class") == index, "readouts of no class")
        need(isinstance(concepts, list) and len(concepts) <= model.concepts, "readouts of more concepts than there are")
        known = [whole(k, 0, model.concepts - 1, "a concept that is read") for k in concepts]
        need(all(a < b for a, b in pairwise(known)), "concepts that are read are not in order, each once")
        need(form in ("each", "relative", "length"), "readouts do not say how strengths are read")
        need(bool(known) or form == "each", "readouts of no strengths cannot be relative, and have no length")
        return cls(index, tuple(known), form)

    def record(self) -> dict[str, Any]:
        """As certificates write it."""
        return {"class": self.class_index, "concepts": list(self.concepts), "strengths": self.form}

    @property
    def length(self) -> bool:
        """Whether |y| is the last of them."""
        return self.form == "length"

    @property
    def base(self) -> int:
        """How many of the concepts are not read because the others are relative to them."""
        return 1 if self.form == "relative" else 0

    def logits(self, model: Model) -> int:
        """How many logits are read."""
        return 0 if self.class_index is None else model.classes - 1

    def dimension(self, model: Model) -> int:
        """How many readouts there are."""
        return self.logits(model) + len(self.concepts) - self.base + self.length

    def values(self, rows: dict[int, Fraction], length: Fraction, model: Model) -> list[Fraction]:
        """The readouts of an embedding with base rows of these values, and this length."""
        strengths = [rows[model.classes + k] for k in self.concepts]
        own = self.class_index
        logits = [] if own is None else [rows[k] - rows[own] for k in range(model.classes) if k != own]
        if self.base:
            strengths = [v - strengths[0] for v in strengths[1:]]
        return [*logits, *strengths, length] if self.length else [*logits, *strengths]

    def row(self, index: int, model: Model) -> tuple[list[int], int]:
        """A base row as a form in the readouts: one of them, or 0."""
        slope = [0] * self.dimension(model)
        if index < model.classes:
            need(self.class_index is not None, "the region does not read logits")
            if index != self.class_index:
                slope[index - (index > (self.class_index or 0))] = 1
            return slope, 0
        if index >= model.zero:
            need(index == model.zero + 1 and self.length, "the region does not read this")
            slope[-1] = 1
            return slope, 0
        need(index - model.classes in self.concepts, "the region does not read a concept that the formula names")
        place = self.concepts.index(index - model.classes) - self.base
        if place >= 0:
            slope[self.logits(model) + place] = 1
        return slope, 0

    def words(self, model: Model) -> str:
        """What is read, with names."""
        names = ", ".join(quoted(model.concept_names[k]) for k in self.concepts)
        if len(self.concepts) == model.concepts:
            names = "all concepts"
        parts = ["logits"] if self.class_index is not None else []
        parts += [f"strengths of {names}"] if self.concepts else []
        return " and ".join([*parts, "|y|"] if self.length else parts)


class Sized:
    """What all regions have: a shape, and a digest of their arrays."""

    shape: str
    arrays: str

    def digest(self, size: Fraction, cut: int | None) -> str:
        """The digest that ties a claim to this region at a size, cut or not."""
        return digest_json({"arrays": self.arrays, "cut": cut, "shape": self.shape, "size": str(size)})


class Region(Sized):
    """{centre + factor w : |w| <= size}, of embeddings or (span) of `Readouts`; base rows become forms in w when asked for."""

    def __init__(self, value: Any, model: Model) -> None:
        shape, centre, factor, reads = fields(value, ["shape", "centre", "factor", "reads"], "a region")
        need(shape in ("box", "pca-box", "ellipsoid", "span", "segment"), "unknown region shape")
        self.reads = Readouts.read(reads, model) if shape == "span" else None
        need((reads is None) == (self.reads is None), "only span and band are made of readouts")
        self.shape, self.norm = shape, "euclid" if shape in ("ellipsoid", "span") else "max"
        D = model.dimension if self.reads is None else self.reads.dimension(model)
        need(D > 0, "a region without axes")
        raw_centre, centre, centre_shift = floats(centre, (D,), "a centre", model.budget)
        self.dimension = axes = 1 if shape == "segment" else D  # how many numbers w there are
        sizes = (D,) if shape == "box" else (D, axes)
        raw_factor, factor, factor_shift = floats(factor, sizes, "a factor", model.budget)
        self.shift = max(centre_shift, factor_shift)
        self.centre = [v << (self.shift - centre_shift) for v in centre]
        factor = [v << (self.shift - factor_shift) for v in factor]
        self.diagonal = factor if shape == "box" else []
        self.columns = None if shape == "box" else [factor[k::axes] for k in range(axes)]
        self.arrays = digest_arrays({"centre": ("<f8", (D,), raw_centre), "factor": ("<f8", sizes, raw_factor)})
        self.raw_digests = hashlib.sha256(raw_centre).hexdigest(), hashlib.sha256(raw_factor).hexdigest()
        self.model = model
        # Logits are linear in what the region is made of; base forms in w stand over 2**exponent.
        self.linear = model.linear or self.reads is not None
        self.exponent = self.shift + (model.shift if self.reads is None else 0)
        self.kept: dict[int, tuple[list[int], int]] = {}
        self.reaches: dict[Any, tuple[int, int, int]] = {}
        self.undone: tuple[list[list[int]], int] | None = None
        self.bounds: dict[Fraction, Any] = {}

    def seen(self, slope: Sequence[int], constant: int) -> tuple[list[int], int]:
        """A form in z over some denominator as a form in w, over that denominator times 2**shift."""
        self.model.budget.spend()
        start = dot(slope, self.centre) + (constant << self.shift)
        self.model.budget.hold(len(slope), max(start.bit_length(), 64))
        if self.columns is None:
            return list(map(mul, slope, self.diagonal)), start
        return [dot(slope, column) for column in self.columns], start

    def row(self, index: int) -> tuple[list[int], int]:
        """A base form in w, over 2**exponent."""
        if index not in self.kept:
            form = self.model.row(index) if self.reads is None else self.reads.row(index, self.model)
            self.kept[index] = self.seen(*form)
        return self.kept[index]

    @cached_property
    def mapped(self) -> list[tuple[list[int], int]]:
        """y = M z + d as forms in w, over 2**(lens shift + shift); only hasCon needs them."""
        lens = self.model.mapped
        return [self.seen(row, constant) for row, constant in zip(lens.rows, lens.constants)]

    def reach(self, weights: tuple[tuple[int, Any], ...]) -> tuple[int, int, int]:
        """For a weighted sum of base rows: the dual norm of its slope (ellipsoids: squared), its constant, a factor."""
        if weights not in self.reaches:
            slope, constant, common = combined([(weight, *self.row(row)) for row, weight in weights])
            self.reaches[weights] = (spread(slope, self.norm), constant, common)
        return self.reaches[weights]

    def holds_readouts(self, values: Sequence[Fraction], size: Fraction) -> bool:
        """Whether readouts lie inside: |w| <= size for the one w with centre + factor w equal to them."""
        self.undone = self.undone or inverse(self.columns or (), self.model.budget)
        lifted, common = over_one([v - Fraction(c, 1 << self.shift) for v, c in zip(values, self.centre)])
        w = [dot(row, lifted) << self.shift for row in self.undone[0]]
        return spread(w, "euclid") * size.denominator**2 <= (self.undone[1] * common * size.numerator) ** 2

    def embedding(self, w: Any, denominator: int) -> tuple[list[int], int]:
        """The exact embedding at coordinates w / denominator, as integers and a denominator."""
        if self.columns is None:
            offset = list(map(mul, self.diagonal, w))
        else:
            offset, _, _ = combined([(v, column, 0) for v, column in zip(w, self.columns)])
            offset = offset or [0] * len(self.centre)
        return [c * denominator + s for c, s in zip(self.centre, offset)], denominator << self.shift


class Band(Sized):
    """Readouts of which ordered pairs (of logits, of strengths, with |y| of a strength and its bar) have least gaps."""

    def __init__(self, value: Any, model: Model) -> None:
        shape, centre, factor, reads = fields(value, ["shape", "centre", "factor", "reads"], "a region")
        self.model, self.shape, self.norm, self.linear = model, shape, "band", True
        self.reads = Readouts.read(reads, model)
        groups: list[Sequence[int]] = [range(model.classes)] if self.reads.class_index is not None else []
        groups.append([model.classes + k for k in self.reads.concepts])
        self.pairs = [(a, b) for group in groups for a in group for b in group if a != b]
        if self.reads.length:
            bars = [(model.classes + k, model.bar(k)) for k in self.reads.concepts if k in model.thresholds]
            self.pairs += [*bars, *((b, a) for a, b in bars)]
        count = (len(self.pairs),)
        raw_centre, middles, centre_shift = floats(centre, count, "a centre", model.budget)
        raw_factor, widths, factor_shift = floats(factor, count, "a factor", model.budget)
        need(all(width >= 0 for width in widths), "a band has a negative width")
        self.middles = [Fraction(v, 1 << centre_shift) for v in middles]
        self.widths = [Fraction(v, 1 << factor_shift) for v in widths]
        self.arrays = digest_arrays({"centre": ("<f8", count, raw_centre), "factor": ("<f8", count, raw_factor)})
        self.emptied: dict[Fraction, bool] = {}

    def empty(self, size: Fraction) -> bool:
        """Whether pairs along some cycle add up to more than 0, so that nothing lies inside (Bellman 1958, Ford 1956)."""
        if size not in self.emptied:
            least, _ = over_one([self.least(k, size) for k in range(len(self.pairs))])
            above, rounds = {row: 0 for pair in self.pairs for row in pair}, 0
            before: dict[int, int] = {}
            while above != before and rounds <= len(above):
                self.model.budget.spend()
                before, rounds = dict(above), rounds + 1
                for (a, b), gap in zip(self.pairs, least):
                    above[a] = max(above[a], above[b] + gap)
            self.emptied[size] = above != before
        return self.emptied[size]

    def least(self, axis: int, size: Fraction) -> Fraction:
        """How far the first row of a pair is above the second, at least."""
        return self.middles[axis] - size * self.widths[axis]


class Near(Sized):
    """Neighbourhoods of images: readouts centre_k + factor w with |w| <= radius, row k of the centres for image k."""

    def __init__(self, value: Any, model: Model) -> None:
        names = ["centre", "factor", "reads", "images", "shape"]
        centre, factor, reads, images, self.shape = fields(value, names, "neighbourhoods")
        self.model, self.norm, self.linear = model, "near", True
        self.reads = Readouts.read(reads, model)
        width = self.reads.dimension(model)
        self.images = whole(images, 1, 1 << 24, "a number of images")
        raw_centre, flat, self.shift = floats(centre, (self.images, width), "centres", model.budget)
        self.columns = [flat[k::width] for k in range(width)]
        self.bits = max(max(flat).bit_length(), min(flat).bit_length())
        zero = base64.b64encode(bytes(8 * width)).decode()
        self.around = Region({"shape": "span", "centre": zero, "factor": factor, "reads": reads}, model)
        self.arrays = digest_arrays({"centre": ("<f8", (self.images, width), raw_centre)}) + self.around.arrays

    def closed(self, pairs: Any, branch: Branch, radius: Fraction) -> int:
        """For which images multipliers close a branch, one byte each: their sum, at its largest around the centre, is < 0.

        The sum at a centre is an integer over `unit`; how far it rises around it, a root, is rounded up to one.
        """
        weights, lead, strict = summed(multiplied(pairs, branch), self.model)
        base = tuple((row, weight) for row, weight in sorted(weights.items()) if weight)
        reach, _, common = self.around.reach(base) if base else (0, 0, 1)
        rows = [(weight, self.reads.row(row, self.model)[0]) for row, weight in base]
        slope = [sum(weight * row[k] for weight, row in rows) for k in range(len(self.columns))]
        numbers, unit = over_one([*slope, lead])
        # Finer than the sums are, so that rounding up costs less than anything that could be said to be closed.
        rise = reach * (radius * unit) ** 2 * Fraction(4 ** (self.shift + FINER), common**2 * 4**self.around.exponent)
        root = root_above(-(-rise.numerator // rise.denominator)) - 1
        above = root * root < rise or (root * root == rise and not strict)
        limit = (numbers[-1] << self.shift + FINER) - root - above >> FINER
        values = [0] * self.images
        taken = self.model.budget.hold(2 * self.images, self.bits + max(map(int.bit_length, numbers)) + 8)
        for number, column in zip(numbers, self.columns):
            self.model.budget.spend()
            if number:
                more = column if number in (1, -1) else map(mul, column, repeat(abs(number)))
                values = list(map(add if number > 0 else sub, values, more))
        self.model.budget.left += taken
        return int.from_bytes(bytes(map(limit.__ge__, values)), "little")

    def proved(self, tree: Any, formula: Table, branch: Branch, radius: Fraction) -> int:
        """For which images a tree of cases closes a branch: by one of its multipliers, or in all cases of a disjunction."""
        need(isinstance(tree, list) and len(tree) == 3 and isinstance(tree[0], list), "a case has the wrong shape")
        literals, pending = list(branch.literals), list(branch.pending)
        assume(formula, self, branch.parts, literals, pending)
        branch = branch._replace(literals=literals, pending=pending, parts=())
        closed = reduce(or_, (self.closed(pairs, branch, radius) for pairs in tree[0]), 0)
        if tree[1] is None:
            return closed
        which = whole(tree[1], 0, len(pending) - 1, "the disjunction opened")
        rest = branch._replace(pending=pending[:which] + pending[which + 1 :])
        need(isinstance(tree[2], list) and len(tree[2]) == len(pending[which]), "a disjunction with other cases")
        inner = (self.proved(case, formula, rest._replace(parts=p), radius) for case, p in zip(tree[2], pending[which]))
        return closed | reduce(and_, inner)


Place = Region | Band | Near


def read_region(value: Any, model: Model) -> Place:
    """A region by its shape."""
    kinds: dict[Any, type[Place]] = {"band": Band, "near": Near}
    return kinds.get(value.get("shape") if isinstance(value, dict) else None, Region)(value, model)


def inverse(columns: Sequence[Sequence[int]], budget: Budget) -> tuple[list[list[int]], int]:
    """The inverse of a matrix of these columns, as integers over one denominator; divisions are even (Bareiss 1968)."""
    n, before = len(columns), 1
    longest = max((abs(v).bit_length() for column in columns for v in column), default=0)
    budget.hold(2 * n * n, n * (longest + n.bit_length()))
    rows = [[*row, *(int(i == k) for k in range(n))] for i, row in enumerate(zip(*columns))]
    for k in range(n):
        budget.spend()
        pivot = next((i for i in range(k, n) if rows[i][k]), None)
        need(pivot is not None, "the region is flat, so nobody can tell what lies in it")
        rows[k], rows[pivot or k] = rows[pivot or k], rows[k]
        head, top = rows[k], rows[k][k]
        for i in range(n):
            if i != k:
                left = rows[i][k]
                rows[i] = [(top * a - left * b) // before for a, b in zip(rows[i], head)]
        before = top
    return [row[n:] for row in rows], before


def spread(slope: Sequence[int], norm: str) -> int:
    """The sum of magnitudes for boxes, the sum of squares for ellipsoids."""
    size = sum(map(mul, slope, slope)) if norm == "euclid" else sum(map(abs, slope))
    return int(exact(size))


# ---------------------------------------------------------------- formulas

LEAVES = ("predict", "stronger", "has")
ARITY = {"not": (1, 1), "implies": (2, 2), "iff": (2, 2), "and": (1, 1 << 20), "or": (1, 1 << 20)}


def read_formula(value: Any, model: Model) -> Table:
    """The node table of a formula: every index in range, children before parents, and no node that nothing uses."""
    need(isinstance(value, list) and 0 < len(value) < 1_000_000, "a formula is not a table of nodes")
    limits = {"predict": (1, model.classes), "stronger": (2, model.concepts), "has": (1, model.concepts)}
    used: set[int] = set()
    for place, node in enumerate(value):
        need(isinstance(node, list) and node and isinstance(node[0], str), "a node is not a list with a name")
        kind, args = node[0], node[1:]
        if kind == "predict" and len(args) == 2:
            need(rational(args.pop(), "a lead") > 0, "a lead is not positive")
        need(kind in limits or kind in ARITY, "unknown kind of node")
        least, most = (limits[kind][0],) * 2 if kind in limits else ARITY[kind]
        need(least <= len(args) <= most, f"{kind} has the wrong number of arguments")
        for arg in args:
            whole(arg, 0, (limits[kind][1] if kind in limits else place) - 1, f"an argument of {kind}")
        need(kind != "has" or args[0] in model.thresholds, "hasCon of a concept without threshold")
        used.update(args if kind in ARITY else ())
    need(len(used) == len(value) - 1, "a formula has nodes that nothing uses")
    return list(value)


class Above(NamedTuple):
    """A literal: base row `first` minus base row `second` is larger than (`strict`) or at least `lead`."""

    first: int
    second: int
    strict: bool
    lead: Fraction = Fraction(0)

    def denied(self) -> Above:
        """The literal that is true where this one is false."""
        return Above(self.second, self.first, not self.strict, -self.lead)


class Has(NamedTuple):
    """A literal: `hasCon` of a concept is true (`wanted`) or false."""

    concept: int
    wanted: bool


def lead_of(args: Any) -> Fraction:
    """The lead that the arguments of a `predict` node ask for."""
    return Fraction(args[1]) if len(args) > 1 else Fraction(0)


def predicted(index: int, lead: Fraction, model: Model) -> list[Above]:
    """The logit of a class is above every other one, or, with a lead, at least that far above it."""
    return [Above(index, k, lead == 0, lead) for k in range(model.classes) if k != index]


def compared(kind: str, args: Any, wanted: bool, place: Place) -> Above | Has:
    """The literal of a comparison of strengths or of `hasCon`, linear for a threshold of 0 or where |y| is a readout."""
    model = place.model
    if kind == "has" and place.reads is None and model.thresholds[args[0]] != 0:
        return Has(args[0], wanted)
    need(kind != "has" or place.reads is None or place.reads.length, "the region does not read what hasCon asks for")
    bar = model.zero if place.reads is None else model.bar(args[0])
    second = bar if kind == "has" else model.classes + args[1]
    literal = Above(model.classes + args[0], second, True)
    return literal if wanted else literal.denied()


def assume(formula: Table, place: Place, parts: Any, literals: Any, pending: Any) -> None:
    """Adds parts (node, polarity) or literals to a state: conjunctions at once, disjunctions to `pending`."""
    model = place.model
    waiting = list(reversed(parts))
    while waiting:
        model.budget.spend()
        need(len(literals) + len(pending) + len(waiting) <= MOST_LITERALS, "a branch has too many literals")
        part = waiting.pop()
        if isinstance(part, (Above, Has)):
            literals.append(part)
            continue
        (kind, *args), wanted = formula[part[0]], part[1]
        if kind == "predict":
            above = predicted(args[0], lead_of(args), model)
            if wanted:
                literals.extend(above)
            else:
                pending.append([[literal.denied()] for literal in above])
        elif kind in ("stronger", "has"):
            literals.append(compared(kind, args, wanted, place))
        elif kind == "not":
            waiting.append((args[0], not wanted))
        elif kind == "iff":
            pending.append([[(args[0], True), (args[1], wanted)], [(args[0], False), (args[1], not wanted)]])
        else:
            flip = [(a, wanted != (kind == "implies" and k == 0)) for k, a in enumerate(args)]
            if (kind == "and") == wanted or len(args) == 1:
                waiting.extend(reversed(flip))
            else:
                pending.append([[child] for child in flip])


# ---------------------------------------------------------------- proofs


class Branch(NamedTuple):
    """A branch of a proof: literals, disjunctions, narrower ends of axes, signs of neurons, and parts to be assumed."""

    literals: list[Any]
    pending: list[Any]
    ends: Ends
    phases: dict[tuple[int, int], bool]
    parts: Sequence[Any]


def check_proof(steps: Any, formula: Table, region: Place, size: Fraction, cut: Any, *, ends: Any = None) -> None:
    """Walks the proof through the negated formula; every branch must close. `ends`: of axes narrower than the region."""
    model = region.model
    need(isinstance(steps, list) and len(steps) <= MOST_STEPS, "a proof is not a list of steps")
    opening = [] if cut is None else predicted(cut, Fraction(0), model)
    stack = [Branch([], [], ends or {}, {}, [*opening, (len(formula) - 1, False)])]
    place = 0
    while stack:
        need(place < len(steps), "the proof ends before all branches are closed")
        step, place = steps[place], place + 1
        branch = stack.pop()
        if branch.parts:
            literals, pending = list(branch.literals), list(branch.pending)
            assume(formula, region, branch.parts, literals, pending)
            branch = Branch(literals, pending, branch.ends, branch.phases, ())
        model.budget.spend()
        need(isinstance(step, list) and step and isinstance(step[0], str), "a step is not a list with a name")
        if isinstance(region, Band) and step[0] != "open":
            close_cycle(step, branch, region, size)
        elif step[0] == "close":
            need(isinstance(region, Region), "neighbourhoods have no proof of their own")
            close(step, branch, region, size)  # type: ignore[arg-type]
        elif step[0] == "open":
            need(len(step) == 2, "a step has the wrong length")
            which = whole(step[1], 0, len(branch.pending) - 1, "the disjunction opened")
            rest = branch.pending[:which] + branch.pending[which + 1 :]
            for alternative in reversed(branch.pending[which]):
                stack.append(branch._replace(pending=rest, parts=alternative))
        elif step[0] == "halve":
            need(len(step) == 2 and region.norm == "max" and region.shape != "segment", "only boxes are halved")
            axis = whole(step[1], 0, model.dimension - 1, "the axis halved")
            low, high = branch.ends.get(axis, (-size, size))
            middle = (low + high) * Fraction(1, 2)
            for part in ((middle, high), (low, middle)):
                stack.append(branch._replace(ends=branch.ends | {axis: part}))
        else:
            need(step[0] == "phase" and len(step) == 3 and not region.linear, "unknown kind of step")
            layer = whole(step[1], 0, len(model.layers) - 2, "a layer")
            key = (layer, whole(step[2], 0, len(model.layers[layer].rows) - 1, "a neuron"))
            for active in (False, True):
                stack.append(branch._replace(phases=branch.phases | {key: active}))
    need(place == len(steps), "the proof goes on after all branches are closed")


def close(step: Any, branch: Branch, region: Region, size: Fraction) -> None:
    """Refuses unless the multipliers exclude that any embedding of the branch satisfies its literals."""
    # The sum of all literals, each times its multiplier, is bounded from above on the branch. Every literal says that something
    # is above 0 (or not below it), so a sum that cannot be contradicts them together: Farkas, with `parts` in the place of what
    # is not linear. All is in integers, in units of the base forms.
    model = region.model
    need(step[0] == "close" and 2 <= len(step) <= 4, "a closing step has the wrong shape")
    bounds = dict_of(step[2]) if len(step) > 2 else {}
    parts: list[Part] = []
    taken = multiplied(step[1], branch)
    weights, lead, strict = summed(taken, model)
    start = -lead * (1 << region.exponent)
    for index, literal, multiplier in taken:
        if isinstance(literal, Has):
            need(index in bounds, "a hasCon literal without its bound")
            more, constant = cone(literal, bounds[index], region, (size, branch.ends))
            parts += [(multiplier * weight, row, middle) for weight, row, middle in more]
            start += multiplier * constant
    if not region.linear and (len(step) > 3 or any(weights.get(row) for row in range(model.classes))):
        parts.append(relaxed_head(weights, step[3] if len(step) > 3 else [], region, (size, branch.phases)))
        weights = {row: weight for row, weight in weights.items() if row >= model.classes}
    # Of a box that is whole and forms that are linear the dual norm is kept by combination of rows; all else is added up anew.
    base = tuple((row, weight) for row, weight in sorted(weights.items()) if weight)
    if not parts and not branch.ends:
        reach, middle, common = region.reach(base) if base else (0, 0, 1)
        closed = excluded(reach, middle + common * start if start else middle, region.norm, size, strict)
    else:
        slope, middle, common = combined([*parts, *((weight, *region.row(row)) for row, weight in base)])
        slope = slope or [0] * region.dimension
        constant = middle + common * start
        if branch.ends:
            reached = reach_within(slope, size, branch.ends)
            closed = excluded(reached, constant, "max", Fraction(1), strict)
        else:
            closed = excluded(spread(slope, region.norm), constant, region.norm, size, strict)
    need(closed, "multipliers prove nothing")


def multiplied(pairs: Any, branch: Branch) -> list[tuple[int, Above | Has, int]]:
    """The literals that a closing step adds up, by number, with their multipliers."""
    need(isinstance(pairs, list), "multipliers are not a list")
    chosen, seen = [], set()
    for pair in pairs:
        need(isinstance(pair, list) and len(pair) == 2, "a multiplier is not a pair")
        index = whole(pair[0], 0, len(branch.literals) - 1, "a literal's number")
        need(type(pair[1]) is int and pair[1] > 0, "a multiplier is not positive")
        need(index not in seen, "a literal has two multipliers")
        seen.add(index)
        chosen.append((index, branch.literals[index], pair[1]))
    return chosen


def summed(chosen: Sequence[tuple[int, Above | Has, int]], model: Model) -> tuple[dict[int, Any], Fraction, bool]:
    """The weights of base rows in the sum of linear literals, the sum of their leads, and whether any literal is strict."""
    weights: dict[int, Any] = {}
    lead, strict = Fraction(0), False
    for _, literal, multiplier in chosen:
        if isinstance(literal, Has):
            strict = strict or literal.wanted
            continue
        strict = strict or literal.strict
        lead += multiplier * literal.lead
        add_pair(weights, literal.first, literal.second, multiplier, model)
    return weights, lead, strict


def add_pair(weights: dict[int, Any], first: int, second: int, multiplier: int, model: Model) -> None:
    """Adds a multiple of the difference of two base rows; threshold times |y| becomes a multiple of |y|."""
    for row, signed in ((first, multiplier), (second, -multiplier)):
        is_bar = row > model.zero + 1
        at, weight = (model.zero + 1, signed * model.thresholds[row - model.bar(0)]) if is_bar else (row, signed)
        weights[at] = weights.get(at, 0) + weight


def close_cycle(step: Any, branch: Branch, band: Band, size: Fraction) -> None:
    """Refuses unless literals and axes of a band add up to: nothing is above itself by more than 0 (0, if one is strict)."""
    need(step[0] == "cycle" and len(step) == 3 and isinstance(step[2], list), "a cycle has the wrong shape")
    weights, above, strict = summed(multiplied(step[1], branch), band.model)
    for number in step[2]:
        axis = whole(number, 0, len(band.pairs) - 1, "an axis of the band")
        first, second = band.pairs[axis]
        add_pair(weights, first, second, 1, band.model)
        above += band.least(axis, size)
    need(not any(weights.values()), "a cycle does not return to where it began")
    need(exact(above) > 0 or (above == 0 and strict), "a cycle proves nothing")


def reach_within(slope: Sequence[int], size: Fraction, ends: Ends) -> Any:
    """The largest value of slope'w over a box with narrower ends at some axes, exactly."""
    inside = sum(abs(v) for k, v in enumerate(slope) if k not in ends)
    return exact(size * inside + sum(max(slope[k] * low, slope[k] * high) for k, (low, high) in ends.items()))


def excluded(reach: Any, constant: Any, norm: str, size: Fraction, strict: bool) -> bool:
    """Whether slope'w + constant stays below 0, or at most 0 if `strict`; `reach`: the slope's dual norm (euclid: squared)."""
    exact(reach), exact(constant), exact(size)
    if norm == "euclid":
        if constant > 0:
            return False
        excess = size * size * reach - constant * constant
    else:
        excess = constant + size * reach
    return bool(excess < 0 or (excess == 0 and strict))


def cone(literal: Any, bound: Any, region: Region, state: Any) -> tuple[list[Part], Fraction]:
    """Weighted forms and a constant above `±(q'y - t |y|)` on the region, in units of the base forms.

    Where the literal is convex, |y| >= p'y for a vector with |p| <= 1; elsewhere |y| <= (|y|^2 + s^2) / 2s for s > 0, and
    each y_e^2 lies under its chord between the ends that y_e reaches over the region.
    """
    model, (concept, wanted), (size, ends) = region.model, literal, state
    threshold, sign = model.thresholds[concept], 1 if wanted else -1
    mapped, unit = region.mapped, 1 << region.exponent
    scale = model.mapped.shift + region.shift
    parts: list[Part] = [(sign, *region.row(model.classes + concept))]
    # Wanted with t > 0, or denied with t < 0, |y| stands with a minus: a lower end of |y| bounds the literal from above.
    if (threshold > 0) == wanted:
        _, p, shift = floats(bound, (len(mapped),), "a cone's vector", model.budget)
        need(sum(map(mul, p, p)) <= 1 << 2 * shift, "a cone's vector is longer than 1")
        factor = -abs(threshold) * Fraction(unit, 1 << shift + scale)
        return parts + [(factor * v, *form) for v, form in zip(p, mapped) if v], Fraction(0)
    # Else |y| stands with a plus, and an upper end is needed: (|y| - s)^2 >= 0 gives (|y|^2 + s^2) / 2s, and each square of |y|^2
    # is at most (low + high) y_e - low high wherever low <= y_e <= high.
    s = rational(bound, "a cone's scale")
    need(s > 0, "a cone's scale is not positive")
    factor, start = abs(threshold) * Fraction(unit, 2 * s) * Fraction(1, 1 << 2 * scale), Fraction(0)
    for form, middle in mapped:
        if region.norm == "euclid":
            up = down = size * root_above(spread(form, "euclid"))
        elif ends:
            up, down = reach_within(form, size, ends), reach_within([-v for v in form], size, ends)
        else:
            up = down = size * spread(form, "max")
        low, high = middle - down, middle + up
        parts.append((factor * (low + high), form, middle))
        start -= factor * low * high
    return parts, start + abs(threshold) * unit * s * Fraction(1, 2)


def neuron_bounds(model: Model, region: Region, size: Fraction) -> list[tuple[list[tuple[int, int]], int]]:
    """Ends of every pre-activation over the region by interval arithmetic: for each layer integers and their denominator."""
    p, q = size.numerator, size.denominator
    first = model.layers[0]
    bounds = []
    for row, constant in zip(first.rows, first.constants):
        slope, middle = region.seen(row, constant)
        wide = spread(slope, region.norm)
        wide = root_above(wide) if region.norm == "euclid" else wide
        bounds.append((q * middle - p * wide, q * middle + p * wide))
    unit = q << first.shift + region.shift
    layers = [(bounds, unit)]
    for layer in model.layers[1:-1]:
        inputs = [(max(a, 0), max(b, 0)) for a, b in bounds]
        bounds = []
        for row, constant in zip(layer.rows, layer.constants):
            model.budget.spend()
            low = sum(v * (a if v > 0 else b) for v, (a, b) in zip(row, inputs))
            high = sum(v * (b if v > 0 else a) for v, (a, b) in zip(row, inputs))
            bounds.append((exact(low + constant * unit), exact(high + constant * unit)))
        unit <<= layer.shift
        layers.append((bounds, unit))
    return layers


def relaxed_head(weights: Any, slopes: Any, region: Region, state: Any) -> Part:
    """A form in w above the weighted logits of a ReLU head on the branch, with its weight in units of the base forms.

    Backwards through the layers; `slopes` are [layer, neuron, slope]: the slope of a lower bound (0..1), or the multiplier
    (>= 0) of the branch's condition on that neuron.
    """
    model, (size, phases) = region.model, state
    if size not in region.bounds:
        region.bounds[size] = neuron_bounds(model, region, size)
    bounds = region.bounds[size]
    need(isinstance(slopes, list) and all(isinstance(e, list) and len(e) == 3 for e in slopes), "bad slopes")
    need(all(type(e[0]) is int and type(e[1]) is int for e in slopes), "bad slopes")
    given = {(e[0], e[1]): rational(e[2], "a slope") for e in slopes}
    need(len(given) == len(slopes), "a neuron has two slopes")
    need(all(value >= 0 for value in given.values()), "a slope is negative")
    # From the logits back to w: `outer` weighs what a layer gives, `inner` what it is given. In between each weight * relu(z) is
    # replaced by a line in z that lies above it wherever z may be on the branch.
    outer: list[Any] = [weights.get(c, 0) for c in range(model.classes)]
    constant = Fraction(0)
    for depth in reversed(range(len(model.layers))):
        model.budget.spend()
        layer = model.layers[depth]
        numbers, common = over_one(outer)
        unit = common << layer.shift
        constant += Fraction(dot(numbers, layer.constants), unit)
        inner = [dot(numbers, column) for column in layer.columns]
        if depth == 0:
            break
        outer = []
        (ends, _) = bounds[depth - 1]
        for neuron, number in enumerate(inner):
            key, (low, high), weight = (depth - 1, neuron), ends[neuron], Fraction(number, unit)
            slope = given.get(key, Fraction(0))
            if phases.get(key, low >= 0):  # active: relu(z) = z, and slope * z >= 0 may be added
                outer.append(weight + slope)
            elif key in phases or high <= 0:  # idle: relu(z) = 0, and -slope * z >= 0 may be added
                outer.append(-slope)
            elif weight > 0:  # the chord from (low, 0) to (high, high) lies above relu
                chord = weight * Fraction(high, high - low)
                outer.append(chord)
                constant -= chord * Fraction(low, bounds[depth - 1][1])
            else:  # slope * z lies below relu for every slope in 0..1, and the weight is not positive
                need(slope <= 1, "a slope is larger than 1")
                outer.append(weight * slope)
    common = unit * Fraction(constant.denominator, unit).numerator
    row = [v * (common // unit) for v in inner]
    slope_in_w, start = region.seen(row, int(constant * common))
    return Fraction(1 << model.shift, common), slope_in_w, start


# ---------------------------------------------------------------- points


def whole_region(regions: Sequence[Place], number: Any) -> Region:
    """The region of embeddings that a point's coordinates are of."""
    region = regions[whole(number, 0, len(regions) - 1, "a point's region")]
    need(isinstance(region, Region) and region.reads is None, "coordinates in a region of readouts")
    assert isinstance(region, Region)
    return region


class Point:
    """An exact point: an embedding z / denominator, given itself or by coordinates w of a region; forms are kept."""

    def __init__(self, value: Any, model: Model, regions: Sequence[Place]) -> None:
        kinds = ("embedding", "coordinates", "corner")
        need(isinstance(value, dict) and value.get("kind") in kinds, "unknown kind of point")
        kind = value["kind"]
        self.kept: dict[int, int] = {}
        self.inside: dict[tuple[Any, ...], bool] = {}
        self.deep: list[int] = []
        self.plus: list[bool] | None = None
        self.model, self.raw, self.reach = model, b"", 0
        self.region: Region | None = None
        if kind == "corner":
            self.read_corner(value, model, regions)
            return
        names = ["kind", "float64"] if "float64" in value else ["kind", "numerators", "denominator"]
        numbers = fields(value, names if kind == "embedding" else [*names, "region"], "a point")
        count = whole_region(regions, numbers[-1]).dimension if kind == "coordinates" else model.dimension
        if "float64" in value:
            self.raw, self.numbers, shift = floats(numbers[1], (count,), "a point", model.budget)
            self.below = 1 << shift
        else:
            self.numbers, self.below = numbers[1:3]
            need(isinstance(self.numbers, list) and len(self.numbers) == count, "a point has the wrong length")
            need(all(type(v) is int for v in self.numbers), "a point has a number that is not an integer")
            need(type(self.below) is int and self.below > 0, "a point has no positive denominator")
        self.z, self.denominator = self.numbers, self.below
        if kind == "coordinates":
            self.region = whole_region(regions, numbers[-1])
            self.z, self.denominator = self.region.embedding(self.numbers, self.below)
        # What base rows, or the logits of a head with ReLU layers, are multiplied by here.
        self.unit = self.below << model.shift + (self.region.shift if self.region is not None else 0)

    def read_corner(self, value: Any, model: Model, regions: Sequence[Place]) -> None:
        """A corner of a box: every coordinate w is plus or minus `size`."""
        _, text, size, region = fields(value, ["kind", "signs", "size", "region"], "a corner")
        self.region = whole_region(regions, region)
        reach = rational(size, "a corner's size")
        need(self.region.norm == "max" and self.region.shape != "segment" and reach >= 0, "only boxes have corners")
        count = len(self.region.centre)
        bits = int.from_bytes(octets(text, (count + 7) // 8, "a corner's signs"), "little")
        need(bits >> count == 0, "a corner has more signs than axes")
        self.plus = [digit == "1" for digit in f"{bits:0{count}b}"[::-1]]
        self.reach, self.below = reach.numerator, reach.denominator
        self.numbers, self.z, self.denominator = [], [], 0
        self.unit = self.below << model.shift + self.region.shift

    def located(self) -> tuple[list[int], int]:
        """The embedding over a denominator."""
        if not self.denominator and self.region is not None:
            self.numbers = [self.reach if up else -self.reach for up in self.plus or ()]
            self.z, self.denominator = self.region.embedding(self.numbers, self.below)
        return self.z, self.denominator

    def lies_in(self, region: Place, size: Fraction, image: int = 0) -> bool:
        """Whether |w| <= size, or the readouts here are those of a region of readouts, or of an image's neighbourhood."""
        key = (region.shape, region.arrays, region.reads, size, image)
        if key not in self.inside:
            if region.reads is not None:
                self.inside[key] = self.reads_in(region, size, image)
            else:
                assert isinstance(region, Region)
                self.inside[key] = self._lies_in(region, size.numerator, size.denominator)
        return self.inside[key]

    def reads_in(self, region: Place, size: Fraction, image: int) -> bool:
        """Whether readouts here lie inside, with both fractions that enclose |y|: regions are convex, so with |y| as well."""
        need(self.region is None and region.reads is not None, "only an embedding has readouts")
        reads, model = region.reads or Readouts(None, (), "each"), self.model
        logits = [] if reads.class_index is None else self.logits()
        rows = {k: Fraction(v, self.unit) for k, v in enumerate(logits)}
        # Strengths stand over what base forms do, whatever the head's logits stand over.
        unit = self.below << model.shift
        rows |= {k: Fraction(self.value(k), unit) for k in (model.classes + c for c in reads.concepts)}
        for length in self.lengths() if reads.length else [Fraction(0)]:
            rows |= {model.bar(k): t * length for k, t in model.thresholds.items()}
            if isinstance(region, Band):
                inside = all(rows[a] - rows[b] >= region.least(k, size) for k, (a, b) in enumerate(region.pairs))
            else:
                values = reads.values(rows, length, model)
                if isinstance(region, Near):
                    values = [v - Fraction(c[image], 1 << region.shift) for v, c in zip(values, region.columns)]
                inside = (region.around if isinstance(region, Near) else region).holds_readouts(values, size)
            if not inside:
                return False
        return True

    def lengths(self) -> tuple[Fraction, Fraction]:
        """Two fractions that enclose |y|."""
        squared = self.image[1]
        unit = self.denominator << self.model.mapped.shift + ROOT
        root = root_above(squared << 2 * ROOT)
        return Fraction(root - 1, unit), Fraction(root, unit)

    @cached_property
    def image(self) -> tuple[list[int], int]:
        """The mapped embedding y, over denominator << the lens's shift, and its square."""
        lens, (z, denominator) = self.model.mapped, self.located()
        y = [dot(row, z) + constant * denominator for row, constant in zip(lens.rows, lens.constants)]
        return y, spread(y, "euclid")

    def _lies_in(self, region: Region, p: int, q: int) -> bool:
        if self.region is region:
            bound = p * self.below
            if self.plus is not None:
                return self.reach * q <= bound
            if region.norm == "max":
                return all(abs(v) * q <= bound for v in self.numbers)
            return spread(self.numbers, "euclid") * q * q <= bound * bound
        need(self.region is None and region.shape == "box", "only a box can tell whether an embedding is inside")
        offset, scale = q * self.denominator, q << region.shift
        p *= self.denominator
        return all(
            abs(at * scale - c * offset) <= p * abs(s) for at, c, s in zip(self.z, region.centre, region.diagonal)
        )

    def value(self, row: int) -> int:
        """A base row here, times a positive factor that all base rows share."""
        if row not in self.kept:
            place = self.model if self.region is None else self.region
            slope, constant = place.row(row)
            if self.plus is None or self.region is None:
                self.kept[row] = dot(slope, self.numbers) + constant * self.below
            else:
                side = 2 * sum(compress(slope, self.plus)) - sum(slope)
                self.kept[row] = exact(self.reach * side + constant * self.below)
        return self.kept[row]

    def logits(self) -> list[int]:
        """All logits, times a positive factor that they share."""
        if self.model.linear:
            return [self.value(row) for row in range(self.model.classes)]
        if not self.deep:
            values, unit = self.located()
            for depth, layer in enumerate(self.model.layers):
                values = [max(v, 0) for v in values] if depth else values
                values = [dot(row, values) + c * unit for row, c in zip(layer.rows, layer.constants)]
                unit <<= layer.shift
            self.deep, self.unit = values, unit
        return self.deep

    def predicts(self, index: int, lead: Fraction = Fraction(0)) -> bool:
        """Whether the logit of a class is strictly larger than every other, or, with a lead, at least that much larger."""
        logits = self.logits()
        others = [exact(logits[index] - value) for k, value in enumerate(logits) if k != index]
        return all(over >= lead * self.unit if lead else over > 0 for over in others)

    def has_concept(self, concept: int) -> bool:
        """Whether q'y > t |y|, by signs and squares."""
        model = self.model
        t = model.thresholds[concept]
        y, squared = self.image
        numerator = dot(model.directions[concept], y)
        # numerator / 2**directions_shift is compared with t |y|; both carry the lens's own factor.
        left = (numerator * t.denominator) ** 2
        right = t.numerator**2 * squared << 2 * model.directions_shift
        if t >= 0:
            return bool(exact(numerator) > 0 and left > right)
        return bool((numerator >= 0 and squared > 0) or left < right)

    def satisfies(self, formula: Table) -> bool:
        """Truth of a formula here."""
        truth: list[bool] = []
        for kind, *args in formula:
            parts = [truth[a] for a in args] if kind in ARITY else []
            if kind == "predict":
                truth.append(self.predicts(args[0], lead_of(args)))
            elif kind == "stronger":
                a, b = (self.value(self.model.classes + k) for k in args)
                truth.append(bool(exact(a) > exact(b)))
            elif kind == "has":
                truth.append(self.has_concept(args[0]))
            elif kind in ("and", "or"):
                truth.append(all(parts) if kind == "and" else any(parts))
            else:
                truth.append(not parts[0] if kind == "not" else (not parts[0] or parts[1]) if kind == "implies" else
                             parts[0] == parts[1])  # fmt: skip
        return truth[-1]


# ---------------------------------------------------------------- what is claimed, in words


def shown(text: Any) -> str:
    """Text from outside in one line of plain characters: what could deceive the eye or a terminal is escaped."""
    plain = str(text)[: 2 * LONGEST_TEXT]
    plain = plain if plain.isascii() and plain.isprintable() else ascii(plain)[1:-1]
    return plain if len(plain) <= LONGEST_TEXT else plain[:LONGEST_TEXT] + "..."


def quoted(text: Any, *, bare: bool = True) -> str:
    """A name: itself where it is a plain word that the language has no use for, else in double quotes with escapes."""
    need(isinstance(text, str), "a name is not text")
    plain = (
        bare
        and text.isascii()
        and not text[:1].isdigit()
        and all(p and f"_{p}".isidentifier() for p in text.split("-"))
    )
    if plain and f" {text} " not in RESERVED and len(text) <= LONGEST_TEXT:
        return str(text)
    rest = f"...({len(text)} characters)" if len(text) > LONGEST_TEXT else ""
    return json.dumps(text[:LONGEST_TEXT]).replace("\x7f", "\\u007f") + rest


def decimal(value: Fraction, *, away: bool = False) -> str:
    """A fraction with four digits: nearer to 0 than it is, or farther `away`."""
    count = (abs(value.numerator) * 10_000 + (value.denominator - 1 if away else 0)) // value.denominator
    return f"{'-' if value < 0 else ''}{count // 10_000}.{count % 10_000:04d}"


def written(formula: Table, model: Model, x: str = "x") -> str:
    """A formula as the language writes it, of a variable; what a long one leaves out is said in its place."""
    said: list[str] = []
    if len(formula) > LONGEST_TEXT:
        return f"... a formula of {len(formula)} nodes, not printed"
    for kind, *args in formula:
        if kind == "predict":
            lead = f", lead = {args[1]}" if len(args) > 1 else ""
            said.append(f"predict({x}, {quoted(model.class_names[args[0]])}{lead})")
        elif kind == "stronger":
            said.append(" > ".join(quoted(model.concept_names[k]) for k in args))
        elif kind == "has":
            said.append(f"hasCon({x}, {quoted(model.concept_names[args[0]])})")
        elif kind == "not":
            said.append(f"not ({said[args[0]]})")
        else:
            parts, room = list[str](), LONGEST_FORMULA
            for a in args:
                part = said[a] if formula[a][0] in LEAVES or len(args) == 1 else f"({said[a]})"
                room -= len(part) + len(kind) + 2
                if room < 0:
                    parts.append(
                        f"... {len(args) - len(parts)} more of the {len(args)} parts of this `{kind}`, not printed"
                    )
                    break
                parts.append(part)
            said.append(f" {kind} ".join(parts))
        if len(said[-1]) > LONGEST_FORMULA + LONGEST_TEXT:
            said[-1] = f"... a `{kind}` of {len(said[-1])} characters, not printed"
    return said[-1]


def counted(coverage: Any, *, empty: bool) -> str:
    """The coverage that a claim states beside its region; nothing here can compare it with images."""
    if coverage is None:
        return "coverage not said"
    inside, images, split = fields(coverage, ["inside", "images", "split"], "a coverage")
    n = whole(images, 0, 1 << 40, "a number of images")
    k = whole(inside, 0, n, "a number of images inside")
    need(k == 0 or not empty, "images are said to lie in a region in which nothing can lie")
    return f"said to contain {k} of {n} images of {quoted(split)}"


# ---------------------------------------------------------------- claims

PARTS = ["claims", "digests", "dimension", "format", "head", "lens", "names", "points", "regions", "seal", "sources",
         "study", "thresholds"]  # fmt: skip
COMMON = ["digest", "file", "formula", "kind", "name", "statement", "verdict"]
EVIDENCE = ("digest", "point", "proof", "refutations", "region", "tree", "witness")


def tail_excluded(k: int, n: int, share: Fraction, level: Fraction, *, upper: bool, budget: Budget) -> bool:
    """Whether P(X >= k), or P(X <= k), is at most `level` for X binomial with this share; in integers.

    Terms C(n, i) p^i (q - p)^(n - i) follow from each other by one multiplication and one exact division, and of the
    tail and its complement the one with fewer terms is summed.
    """
    p, q, rest = share.numerator, share.denominator, share.denominator - share.numerator
    if rest == 0:  # X = n with certainty
        return level >= int(k <= n if upper else k >= n)
    # The event as a range of counts, then the end of 0..n that it or its complement reaches.
    low, high = (k, n) if upper else (0, k)
    inner = min(high - low + 1, n - (high - low))
    need(n * q.bit_length() <= LONGEST_POWER, "a share of so many images with so long a fraction takes too long")
    from_above = (high == n) == (high - low + 1 <= n - (high - low))
    total, term = 0, p**n if from_above else rest**n
    for i in range(inner):
        budget.spend()
        total += term
        # To one success fewer, or more.
        term = term * (n - i) * rest // ((i + 1) * p) if from_above else term * (n - i) * p // ((i + 1) * rest)
    whole_space = q**n
    tail = total if inner == high - low + 1 else whole_space - total
    return bool(exact(tail) * level.denominator <= level.numerator * whole_space)


def share_decided(k: int, n: int, share: Fraction, level: Fraction, *, upper: bool, budget: Budget) -> bool:
    """Whether counts decide a share; tails are monotonic in it, so that a long fraction is first rounded against the claim."""
    if n == 0:
        return False
    if share.denominator.bit_length() > SHORT_SHARE:
        lifted = share.numerator << SHORT_SHARE
        rounded = -(-lifted // share.denominator) if upper else lifted // share.denominator
        near = Fraction(rounded, 1 << SHORT_SHARE)
        if near > 0 and tail_excluded(k, n, near, level, upper=upper, budget=budget):
            return True
    return tail_excluded(k, n, share, level, upper=upper, budget=budget)


def check_test(claim: dict[str, Any], successes: int, trials: int, budget: Budget) -> tuple[Fraction, Fraction]:
    """The share and level of a claim, whose verdict the counts have to decide."""
    share, level = rational(claim["share"], "a share"), rational(claim["level"], "a level")
    need(0 < share <= 1 and 0 < level < 1, "a share or level is out of range")
    if claim["verdict"] != "unknown":
        decided = share_decided(successes, trials, share, level, upper=claim["verdict"] == "holds", budget=budget)
        need(decided, "the counts do not decide the share at this level")
    return share, level


def check_share(claim: dict[str, Any], model: Model) -> str:
    """A statistical claim: the exact binomial tail of its counts is within its level."""
    names = ["class", "images", "level", "outcomes", "share", "split", "successes", "trials"]
    fields(claim, [*COMMON, *names], "a claim about a share")
    n = whole(claim["trials"], 0, 10_000_000, "the number of images")
    k = whole(claim["successes"], 0, n, "the number of successes")
    share, level = check_test(claim, k, n, model.budget)
    formula = read_formula(claim["formula"], model)
    digest_text(claim["images"], "the images' digest")
    digest_text(claim["outcomes"], "the outcomes' digest")
    return (
        f"for {share} of x in {images_of(claim, model)}: {written(formula, model)} "
        f"[true for {k} of {n} images of {quoted(claim['split'])}, at level {level}]"
    )


def images_of(claim: dict[str, Any], model: Model) -> str:
    """The images that a share is of."""
    need(claim["class"] is None or claim["class"] in model.class_names, "a share of images of no class")
    return "images" if claim["class"] is None else f"images({quoted(claim['class'])})"


def image_of(claim: dict[str, Any]) -> str:
    """The one image that a claim is about."""
    need(isinstance(claim["image"], str) and isinstance(claim["split"], str), "an image without a name")
    return f"image({quoted(claim['image'], bare=False)}) of {quoted(claim['split'])}"


def check_image(claim: dict[str, Any], model: Model, points: Sequence[Point]) -> str:
    """A claim about one image: the formula is evaluated at its embedding."""
    unknown = claim["verdict"] == "unknown"
    fields(claim, [*COMMON, "embedding", "image", "split", *([] if unknown else ["point"])], "a claim about an image")
    digest_text(claim["embedding"], "an embedding's digest")
    formula = read_formula(claim["formula"], model)
    if not unknown:
        point = chosen(claim["point"], points, "a point")
        need(point.region is None and point.raw, "an image's embedding is not given as float64")
        need(claim["embedding"] == hashlib.sha256(point.raw).hexdigest(), "the embedding is another one")
        true = point.satisfies(formula)
        need(true == (claim["verdict"] == "holds"), "the formula has another value at the image")
    return f"for x = {image_of(claim)}: {written(formula, model)}"


def check_region(claim: dict[str, Any], model: Model, regions: Sequence[Place], points: Sequence[Point]) -> str:
    """One claim about a region: its proof or its witness."""
    evidence = {"holds": ["proof"], "violated": ["witness"], "unknown": []}[claim["verdict"]]
    names = ["class", "coverage", "cut", "part", "reads", "region", "region_digest", "size"]
    fields(claim, [*COMMON, *names, *evidence], "a claim about a region")
    region = chosen(claim["region"], regions, "a region")
    size, cut = rational(claim["size"], "a size"), claim["cut"]
    need(size >= 0, "a negative size")
    need(cut is None or whole(cut, 0, model.classes - 1, "a cut") == cut, "a cut is no class")
    need(claim["class"] in model.class_names, "a region of no class")
    need(claim["region_digest"] == region.digest(size, cut), "the region is not the one that its digest names")
    need(not isinstance(region, Near) and region.shape != "segment", "it is no region of a class")
    reads = None if region.reads is None else region.reads.record()
    need(claim["reads"] == reads, "the region is made of other readouts than the claim says")
    need(claim["part"] in ("whole", "conclusion"), "a claim does not say which part of its property it proves")
    need(claim["part"] == "whole" or claim["verdict"] == "holds", "a conclusion alone refutes no property")
    formula = read_formula(claim["formula"], model)
    if claim["verdict"] == "holds":
        check_proof(claim["proof"], formula, region, size, cut)
    elif claim["verdict"] == "violated":
        point = chosen(claim["witness"], points, "a witness")
        need(point.lies_in(region, size), "the witness lies outside the region")
        need(not point.satisfies(formula), "the formula is true at the witness")
        need(cut is None or point.predicts(cut), "the witness lies outside the cut of the region")
    where = "" if cut is None else f" where predict(x, {quoted(model.class_names[cut])})"
    made = "" if region.reads is None else f"made of {region.reads.words(model)}, "
    empty = claim["verdict"] != "violated" and isinstance(region, Band) and region.empty(size)
    note = ", EMPTY: nothing lies in it" if empty else vacuous(claim, formula, region, size)
    return (
        f"for all x in the {region.shape} of {quoted(claim['class'])}{where}: {written(formula, model)} "
        f"[{made}size {shown(size)}, region {claim['region_digest'][:12]}, {counted(claim['coverage'], empty=empty)}{note}]"
    )


def vacuous(claim: dict[str, Any], formula: Table, region: Region | Band, size: Fraction) -> str:
    """Words on what a proof shows by the way: that nothing is claimed of, or that nothing there satisfies the premise."""
    tables: list[tuple[str, Table]] = [("EMPTY: nothing lies in it", [["and"], ["not", 0]])]
    if formula[-1][0] == "implies":
        tables.append(("VACUOUS: nothing in it satisfies the premise", [*formula[:-1], ["not", formula[-1][1]]]))
    for words, table in tables if claim["verdict"] == "holds" else []:
        with suppress(Refused):
            check_proof(claim["proof"], table, region, size, claim["cut"])
            return f", {words}"
    return ""


def check_near(claim: dict[str, Any], model: Model, regions: Sequence[Place], points: Sequence[Point]) -> str:
    """A formula around images: for so many a proof, for so many an embedding that refutes it; a share by its exact test."""
    names = ["changes", "class", "images", "level", "near", "proved", "radius", "reads", "refutations", "refuted"]
    names += ["image"] if "image" in claim else []
    fields(claim, [*COMMON, *names, "region", "region_digest", "share", "split", "tree", "trials"], "a claim")
    place = chosen(claim["region"], regions, "a region")
    need(isinstance(place, Near), "a claim about images without neighbourhoods")
    radius, n = rational(claim["radius"], "a radius"), place.images
    need(radius >= 0 and claim["region_digest"] == place.digest(radius, None), "the neighbourhoods are others")
    need(claim["reads"] == place.reads.record(), "the neighbourhoods are made of other readouts than the claim says")
    formula, pairs = read_formula(claim["formula"], model), dict_of(claim["refutations"])
    proved = place.proved(claim["tree"], formula, Branch([], [], {}, {}, [(len(formula) - 1, False)]), radius)
    counts = n, proved.bit_count(), len(pairs)
    need((claim["trials"], claim["refuted"]) == counts[::2], "there are other images, or it is refuted around others")
    need(whole(claim["proved"], 0, n, "a count") <= counts[1], "it is proved around fewer images")
    for image, number in pairs.items():
        whole(image, 0, n - 1, "an image's number")
        point = chosen(number, points, "a point")
        need(point.lies_in(place, radius, image), "it is outside")
        need(not point.satisfies(formula), "the formula is true there")
    digest_text(claim["images"], "the images' digest")
    upper, single = claim["verdict"] == "holds", claim["share"] is None
    count = claim["proved"] if upper else n - counts[2]
    near, own, test = rational(claim["near"], "a share of changes"), claim.get("image"), ""
    need(0 < near <= 1, "a share of changes is out of range")
    of_class = images_of(claim, model)
    if single:
        need(n == 1 and (claim["verdict"] == "unknown" or upper == count), "it is not decided there")
        need(own is None or digest_json([own]) == claim["images"], "the image is not the one that its digest names")
        where = f"x = one image of id digest {claim['images'][:12]}" if own is None else f"x = {image_of(claim)}"
    else:
        need(own is None, "a share is of more than one image")
        share, level = check_test(claim, count, n, model.budget)
        where, test = f"{share} of x in {of_class}", f", at level {level}"
    return (
        f"for {where}: for all y near x (changes = {quoted(claim['changes'])}, share = {near}): "
        f"{written(formula, model, 'y')} [proved around {claim['proved']} of {n} images of {quoted(claim['split'])}, "
        f"refuted around {counts[2]}, radius {decimal(radius)}{test}]"
    )


def rise(region: Region, concept: int) -> Fraction:
    """By how much a concept's strength rises along a segment, exactly: 1, along its gradient, within 2**-32 as floats are."""
    gradient, step = region.model.row(region.model.classes + concept)[0], (region.columns or [[]])[0]
    along, squares = dot(gradient, step), dot(gradient, gradient) * dot(step, step)
    rate = Fraction(along, 1 << region.exponent)
    straight = (squares - along * along) * NEARLY**2 <= squares
    need(
        straight and abs(rate - 1) * NEARLY <= 1, "its direction is not that in which the concept's strength rises by 1"
    )
    return rate


def check_extent(claim: dict[str, Any], model: Model, regions: Sequence[Place]) -> str:
    """How far a concept may change in an image: the formula is true all along, and false just beyond either end."""
    names = ["after", "before", "concept", "direction", "embedding", "high", "image", "low", "proof", "region", "split"]
    fields(claim, [*COMMON, *names], "a claim about an extent")
    need(claim["verdict"] == "holds", "an extent is what holds along it")
    region = chosen(claim["region"], regions, "a region")
    need(isinstance(region, Region) and region.shape == "segment", "an extent is no segment")
    need((claim["embedding"], claim["direction"]) == region.raw_digests, "embedding or direction is another one")
    low, high = rational(claim["low"], "an end"), rational(claim["high"], "an end")
    need(low <= 0 <= high, "the image lies outside its own extent")
    concept = whole(claim["concept"], 0, model.concepts - 1, "a concept")
    rate, said = rise(region, concept), []
    formula = read_formula(claim["formula"], model)
    check_proof(claim["proof"], formula, region, max(-low, high), None, ends={0: (low, high)})
    for end, inner, sign in ((claim["before"], low, -1), (claim["after"], high, 1)):
        said.append(f"{decimal(inner * rate)} (at least)")
        if end is not None:
            beyond = rational(end, "a place beyond an end")
            said[-1] = f"{decimal(inner * rate)} (false by {decimal(beyond * rate, away=True)})"
            need(sign * (beyond - inner) > 0, "a place beyond an end is not beyond it")
            w = {"numerators": [beyond.numerator], "denominator": beyond.denominator, "region": claim["region"]}
            need(not Point({"kind": "coordinates"} | w, model, regions).satisfies(formula), "it changes nothing")
            near = sign * (beyond - inner) * NEARLY <= 1 + abs(inner)
            need(near, "a place beyond an end is not just beyond it, so that nobody knows where it ends")
    return (
        f"for x = {image_of(claim)}, its {quoted(model.concept_names[concept])} changed along its gradient "
        f"by {' to '.join(said)}: {written(formula, model)}"
    )


CHECKS: dict[Any, Callable[..., str]] = {
    "share": check_share, "image": check_image, "near": check_near, "extent": check_extent, "region": check_region
}  # fmt: skip


def check_certificate(body: dict[str, Any], budget: Budget, expected: Expected = ()) -> Iterator[Claim]:
    """Checks a whole certificate and yields its claims; refuses it if anything is amiss."""
    need(isinstance(body, dict) and isinstance(body.get("format"), str), "not a certificate")
    need(body["format"] == FORMAT, f"the format is {shown(body['format'])}; this checker reads {FORMAT}")
    fields(body, PARTS, "a certificate")
    model = Model(body, budget)
    head, lens = fields(body["digests"], ["head", "lens"], "digests")
    need(head == model.head_digest, "the head, or a class's name, is not the one that its digest names")
    need(lens == model.lens_digest, "the lens, a name or a threshold is not the one that its digest names")
    for key, digest in expected:
        need(key in ("head", "lens"), f"only head and lens are computed from the certificate itself, not {shown(key)}")
        need(body["digests"][key] == digest, f"the certificate speaks of another {key}")
    lists = [body[key] for key in ("regions", "points", "claims")]
    need(all(isinstance(value, list) for value in lists), "regions, points or claims are not lists")
    need(lists[2], "the certificate claims nothing")
    regions = [read_region(value, model) for value in lists[0]]
    points = [Point(value, model, regions) for value in lists[1]]
    seen: set[Any] = set()
    for claim in lists[2]:
        budget.spend()
        need(isinstance(claim, dict), "a claim is not an object")
        words = [claim.get(key) for key in ("file", "name", "statement")]
        need(all(isinstance(word, str) for word in words), "a claim does not say what it claims")
        need((words[0], words[1]) not in seen, f"{shown(words[1])} is claimed twice")
        seen.add((words[0], words[1]))
        need(claim.get("verdict") in ("holds", "violated", "unknown"), "a claim has no verdict")
        said = {k: v for k, v in claim.items() if k not in EVIDENCE}
        need(claim.get("digest") == digest_json(said | body["digests"]), "a claim is not the one that its digest names")
        carried = {"share": (), "image": (points,), "extent": (regions,)}.get(claim.get("kind"), (regions, points))
        need(claim.get("kind") in CHECKS, "unknown kind of claim")
        statement = CHECKS[claim["kind"]](claim, model, *carried)
        yield Claim(claim["name"], claim["verdict"], statement)


def dict_of(value: Any) -> dict[Any, Any]:
    """A list of [number, value] pairs as a dictionary."""
    pairs = isinstance(value, list) and all(isinstance(p, list) and len(p) == 2 for p in value)
    need(pairs and all(type(p[0]) is int for p in value), "not a list of pairs")
    need(len({p[0] for p in value}) == len(value), "a number appears twice")
    return {p[0]: p[1] for p in value}


def read(path: str | Path) -> bytes:
    """The bytes of a regular file of bounded size; devices and pipes, which may never end, are refused unread."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(handle, "rb") as file:
            kind = os.fstat(handle)
            need(stat.S_ISREG(kind.st_mode), "not a regular file")
            need(kind.st_size <= LARGEST_FILE, "the file is too large")
            return file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        raise Refused(f"not readable: {error}") from None


def check_file(path: str | Path, expected: Expected = (), budget: Budget | None = None) -> list[Claim]:
    """Claims of a certificate file; raises Refused, for whatever reason it proves nothing."""
    return check_data(read(path), expected, budget)


def check_data(data: bytes, expected: Expected = (), budget: Budget | None = None) -> list[Claim]:
    """Claims of a certificate's bytes; raises Refused, for whatever reason they prove nothing."""
    budget = budget or Budget()
    try:
        return list(check_certificate(load(data, budget), budget, expected))
    except (RecursionError, MemoryError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise Refused(f"malformed: {type(error).__name__}") from None


NOT_COMPARED = (
    "not compared with a study, nor checked for missing claims: conspect certificate check FILE --study DIR does"
)


def main(arguments: Sequence[str]) -> int:
    """Checks files, each within its --seconds and --megabytes, and prints what they claim; --expect ties them to known ones."""
    expected, files = [], []
    limits = {"--seconds": SECONDS, "--megabytes": MEGABYTES}
    words = iter(arguments)
    for word in words:
        if word == "--expect":
            key, _, digest = next(words, "").partition("=")
            expected.append((key, digest))
        elif word in limits:
            number = next(words, "")
            limits[word] = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
        else:
            files.append(word)
    if not files or 0 in limits.values():
        print("usage: check.py [--expect head|lens=DIGEST]... [--seconds N] [--megabytes N] FILE...", file=sys.stderr)
        return 2
    refused = False
    for path in files:
        try:
            claims = check_file(path, expected, Budget(limits["--seconds"], limits["--megabytes"]))
        except Refused as reason:
            refused = True
            print(f"{shown(path)}: REFUSED: {shown(reason)}")
        else:
            for claim in claims:
                print(f"{claim.verdict:8} {quoted(claim.name)}: {claim.statement}")
            print(f"{shown(path)}: {summary(claims)}")
            print(NOT_COMPARED)
    return int(refused)


def summary(claims: Sequence[Claim]) -> str:
    """How many claims of each verdict were accepted."""
    holds, violated, unknown = map([c.verdict for c in claims].count, ("holds", "violated", "unknown"))
    return f"accepted: {holds} claims hold, {violated} are violated" + (f", {unknown} are open" if unknown else "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""Checks Conspect certificates in exact arithmetic, with the standard library alone: `python3 check.py FILE...`.

A certificate carries the numbers it speaks of (head, lens, regions) and, for each claim, a proof or a witness. This file
rebuilds the negation of every claimed formula by itself, walks the proof through it, and accepts a closed branch only if
its multipliers exclude, in exact rational arithmetic, that any embedding of the region satisfies the branch's literals.
docs/verification.md has the format and the mathematics. Exit code 0: everything accepted; 1: something refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import sys
from array import array
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

LARGEST_FILE = 1 << 29
LONGEST_NUMBER = 4000
MOST_STEPS = 5_000_000

Shape = tuple[int, ...]
Table = list[list[Any]]
Limits = dict[int, tuple[Fraction, Fraction]]
Expected = Sequence[tuple[str, str]]
Point = tuple[list[int], int, Callable[[int], int]]


class Refused(Exception):
    """The certificate proves nothing; the message says why."""


def need(condition: object, reason: str) -> None:
    """Refuses unless the condition is true."""
    if not condition:
        raise Refused(reason)


# ---------------------------------------------------------------- reading


def load(data: bytes) -> Any:
    """The JSON object of a certificate; refuses doubled keys, floats, NaN, overlong numbers, deep nesting."""

    def unique(pairs: Any) -> dict[str, Any]:
        found = dict(pairs)
        need(len(found) == len(pairs), "a key appears twice in one object")
        return found

    def integer(text: Any) -> int:
        need(len(text) <= LONGEST_NUMBER, "a number is too long")
        return int(text)

    def refuse(text: Any) -> None:
        raise Refused(f"{text[:40]!r} is not an integer; certificates carry no JSON floats")

    need(len(data) <= LARGEST_FILE, "the file is too large")
    try:
        found = json.loads(
            data.decode("utf-8"), object_pairs_hook=unique, parse_int=integer, parse_float=refuse, parse_constant=refuse
        )
    except (ValueError, RecursionError) as error:
        raise Refused(f"not readable as JSON: {str(error)[:200]}") from None
    return found


def fields(value: Any, names: Sequence[str], what: str) -> list[Any]:
    """The values of an object that must have exactly these keys."""
    need(isinstance(value, dict) and set(value) == set(names), f"{what} must have exactly the keys {sorted(names)}")
    return [value[name] for name in names]


def whole(value: Any, low: int, high: int, what: str) -> int:
    """An integer of a range; booleans are refused."""
    need(type(value) is int and low <= value <= high, f"{what} is not an integer from {low} to {high}")
    return int(value)


def rational(text: Any, what: str) -> Fraction:
    """A fraction written as `p` or `p/q` in lowest terms."""
    need(isinstance(text, str) and len(text) <= LONGEST_NUMBER, f"{what} is not a fraction")
    parts = text.split("/")
    digits = all(part.lstrip("-").isascii() and part.lstrip("-").isdigit() for part in parts)
    need(len(parts) <= 2 and digits, f"{what} is not a fraction")
    need(len(parts) == 1 or int(parts[1]) > 0, f"{what} has a denominator that is not positive")
    found = Fraction(int(parts[0]), int(parts[1]) if len(parts) == 2 else 1)
    need(str(found) == text, f"{what} is not written in lowest terms")
    return found


def floats(value: Any, shape: Shape, what: str) -> tuple[bytes, list[int], int]:
    """Raw bytes and exact integers (with one power of two below them) of a base64 float64 array of a known shape."""
    need(isinstance(value, str), f"{what} is not base64 text")
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(f"{what} is not base64 text") from None
    need(base64.b64encode(raw).decode() == value, f"{what} is not canonical base64")
    need(len(raw) == 8 * math.prod(shape), f"{what} does not have the shape {shape}")
    numbers = array("d")
    numbers.frombytes(raw)
    if sys.byteorder == "big":
        numbers.byteswap()
    need(all(map(math.isfinite, numbers)), f"{what} has a NaN or an infinity")
    ratios = [number.as_integer_ratio() for number in numbers]
    shift = max((d.bit_length() - 1 for _, d in ratios), default=0)
    return raw, [n << (shift - d.bit_length() + 1) for n, d in ratios], shift


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
    """Exact inner product of integer sequences."""
    return sum(a * b for a, b in zip(left, right))  # noqa: B905


class Forms:
    """Affine forms (rows[r] . x + constants[r]) / 2**shift in integers."""

    def __init__(self, rows: Any, constants: Any, shift: int) -> None:
        self.rows, self.constants, self.shift = rows, constants, shift

    def value(self, index: int, point: Any, denominator: int) -> int:
        """One form at the integer point over a denominator, times 2**shift * denominator."""
        return int(dot(self.rows[index], point) + self.constants[index] * denominator)

    def fraction(self, index: int, point: Any, denominator: int) -> Fraction:
        """One form at a point."""
        return Fraction(self.value(index, point, denominator), denominator << self.shift)

    def raised(self, shift: int) -> Forms:
        """The same forms at a larger shift."""
        k = shift - self.shift
        return Forms([[v << k for v in row] for row in self.rows], [c << k for c in self.constants], shift)

    @classmethod
    def read(cls, weight: Any, offset: Any, shape: Shape, what: str) -> tuple[Forms, bytes, bytes]:
        """From two base64 arrays; also their raw bytes."""
        raw_weight, numbers, one = floats(weight, shape, f"{what} weight")
        raw_offset, constants, two = floats(offset, shape[:1], f"{what} offset")
        shift, width = max(one, two), shape[1]
        rows = [[v << (shift - one) for v in numbers[k * width : (k + 1) * width]] for k in range(shape[0])]
        return cls(rows, [v << (shift - two) for v in constants], shift), raw_weight, raw_offset


class Model:
    """Head, lens and thresholds of a certificate; base forms are logits, strengths and zero, in this order."""

    def __init__(self, body: dict[str, Any]) -> None:
        names = fields(body["names"], ["classes", "concepts"], "names")
        for group in names:
            need(isinstance(group, list) and all(isinstance(n, str) and len(n) < 10_000 for n in group), "bad names")
            need(len(set(group)) == len(group) > 0, "a name appears twice, or there is none")
        self.class_names, self.concept_names = names
        self.classes, self.concepts = map(len, names)
        self.dimension = whole(body["dimension"], 1, 1 << 20, "the dimension")
        need(isinstance(body["head"], list) and body["head"], "the head has no layers")
        self.layers: list[Forms] = []
        parts: dict[str, Any] = {}
        width = self.dimension
        for k, layer in enumerate(body["head"]):
            weight, offset, outputs = fields(layer, ["weight", "offset", "outputs"], "a layer")
            shape = (whole(outputs, 1, 1 << 20, "a layer's width"), width)
            forms, raw_weight, raw_offset = Forms.read(weight, offset, shape, f"layer {k}")
            self.layers.append(forms)
            parts |= {f"{k}.weight": ("<f8", shape, raw_weight), f"{k}.offset": ("<f8", shape[:1], raw_offset)}
            width = shape[0]
        need(width == self.classes, "the head's last layer does not give one logit per class")
        self.head_digest = digest_arrays(parts)
        self.read_lens(body["lens"])
        self.thresholds = {}
        need(isinstance(body["thresholds"], dict), "thresholds are not an object")
        for key, text in body["thresholds"].items():
            index = whole(
                self.concept_names.index(key) if key in self.concept_names else None, 0, 1 << 20, "a threshold"
            )
            self.thresholds[index] = rational(text, "a threshold")
        self.linear = len(self.layers) == 1
        blank = Forms([[0] * self.dimension] * self.classes, [0] * self.classes, 0)
        stack = [self.layers[0] if self.linear else blank, self.strengths, Forms([[0] * self.dimension], [0], 0)]
        shift = max(forms.shift for forms in stack)
        stack = [forms.raised(shift) for forms in stack]
        self.base = Forms([r for f in stack for r in f.rows], [c for f in stack for c in f.constants], shift)

    def read_lens(self, lens: Any) -> None:
        """The alignment M z + d and the directions Q, and with them the exact strength numerators Q (M z + d)."""
        weight, offset, directions, width = fields(lens, ["weight", "offset", "directions", "width"], "the lens")
        width = whole(width, 1, 1 << 20, "the lens's width")
        self.mapped, raw_weight, raw_offset = Forms.read(weight, offset, (width, self.dimension), "lens")
        raw, numbers, shift = floats(directions, (self.concepts, width), "the directions")
        columns = list(zip(*self.mapped.rows))  # noqa: B905
        each = [numbers[k * width : (k + 1) * width] for k in range(self.concepts)]
        rows = [[dot(q, column) for column in columns] for q in each]
        self.strengths = Forms(rows, [dot(q, self.mapped.constants) for q in each], self.mapped.shift + shift)
        text = "\0".join(self.concept_names).encode()
        self.lens_digest = digest_arrays(
            {
                "weight": ("<f8", (width, self.dimension), raw_weight),
                "offset": ("<f8", (width,), raw_offset),
                "directions": ("<f8", (self.concepts, width), raw),
                "names": ("|u1", (len(text),), text),
            }
        )

    def literal_rows(self, index: int) -> int:
        """Concept index to its base row."""
        return self.classes + index

    @property
    def zero(self) -> int:
        """The base row that is zero everywhere."""
        return self.classes + self.concepts


class Region:
    """{centre + factor w : |w| <= size}, with the base forms and the mapped coordinates as forms in w."""

    def __init__(self, value: Any, model: Model) -> None:
        shape, centre, factor = fields(value, ["shape", "centre", "factor"], "a region")
        need(shape in ("box", "pca-box", "ellipsoid"), "unknown region shape")
        self.shape, self.norm, D = shape, "euclid" if shape == "ellipsoid" else "max", model.dimension
        raw_centre, centre, one = floats(centre, (D,), "a centre")
        need(isinstance(factor, str), "a factor is not base64 text")
        sizes = (D,) if shape == "box" else (D, D)
        raw_factor, factor, two = floats(factor, sizes, "a factor")
        self.shift = max(one, two)
        self.centre = [v << (self.shift - one) for v in centre]
        factor = [v << (self.shift - two) for v in factor]
        self.diagonal = factor if shape == "box" else []
        self.columns = None if shape == "box" else [factor[k::D] for k in range(D)]
        self.arrays = digest_arrays({"centre": ("<f8", (D,), raw_centre), "factor": ("<f8", sizes, raw_factor)})
        self.model, self.forms = model, self.seen(model.base)
        self._mapped: Forms | None = None
        self.bounds: dict[Fraction, list[list[tuple[Fraction, Fraction]]]] = {}

    def seen(self, forms: Forms) -> Forms:
        """Forms in z as forms in w."""
        constants = [dot(row, self.centre) + (c << self.shift) for row, c in zip(forms.rows, forms.constants)]  # noqa: B905
        if self.columns is None:
            rows = [[a * b for a, b in zip(row, self.diagonal)] for row in forms.rows]  # noqa: B905
        else:
            rows = [[dot(row, column) for column in self.columns] for row in forms.rows]
        return Forms(rows, constants, forms.shift + self.shift)

    @property
    def mapped(self) -> Forms:
        """y = M z + d as forms in w; only hasCon needs them."""
        if self._mapped is None:
            self._mapped = self.seen(self.model.mapped)
        return self._mapped

    def digest(self, size: Fraction, cut: int | None) -> str:
        """The digest that ties a claim to this region at a size, cut or not."""
        return digest_json({"arrays": self.arrays, "cut": cut, "shape": self.shape, "size": str(size)})

    def embedding(self, w: Any, denominator: int) -> tuple[list[int], int]:
        """The exact embedding at coordinates w / denominator, as integers and a denominator."""
        if self.columns is None:
            spread = [a * b for a, b in zip(self.diagonal, w)]  # noqa: B905
        else:
            spread = [sum(c * v for c, v in zip(row, w)) for row in zip(*self.columns)]  # noqa: B905
        return [c * denominator + s for c, s in zip(self.centre, spread)], denominator << self.shift  # noqa: B905


# ---------------------------------------------------------------- formulas


def read_formula(value: Any, model: Model) -> Table:
    """The node table of a formula, every index in range and children before parents."""
    need(isinstance(value, list) and 0 < len(value) < 1_000_000, "a formula is not a table of nodes")
    limits = {"predict": (1, model.classes), "stronger": (2, model.concepts), "has": (1, model.concepts)}
    arity = {"not": (1, 1), "implies": (2, 2), "iff": (2, 2), "and": (1, 1 << 20), "or": (1, 1 << 20)}
    for place, node in enumerate(value):
        need(isinstance(node, list) and node and isinstance(node[0], str), "a node is not a list with a name")
        kind, args = node[0], node[1:]
        need(kind in limits or kind in arity, "unknown kind of node")
        least, most = (limits[kind][0],) * 2 if kind in limits else arity[kind]
        need(least <= len(args) <= most, f"{kind} has the wrong number of arguments")
        for arg in args:
            whole(arg, 0, (limits[kind][1] if kind in limits else place) - 1, f"an argument of {kind}")
        need(kind != "has" or args[0] in model.thresholds, "hasCon of a concept without threshold")
    return list(value)


def assume(formula: Table, model: Model, parts: Any, literals: Any, pending: Any) -> None:
    """Adds parts (node, polarity) or literals to a state: conjunctions at once, disjunctions to `pending`."""
    for part in parts:
        if len(part) == 3:
            literals.append(part)
            continue
        (kind, *args), wanted = formula[part[0]], part[1]
        others = [k for k in range(model.classes) if kind == "predict" and k != args[0]]
        if kind == "predict" and wanted:
            literals.extend((args[0], k, True) for k in others)
        elif kind == "predict":
            pending.append([[(k, args[0], False)] for k in others])
        elif kind == "stronger":
            a, b = model.classes + args[0], model.classes + args[1]
            literals.append((a, b, True) if wanted else (b, a, False))
        elif kind == "has" and model.thresholds[args[0]] == 0:
            row = model.classes + args[0]
            literals.append((row, model.zero, True) if wanted else (model.zero, row, False))
        elif kind == "has":
            literals.append((args[0], wanted))
        elif kind == "not":
            assume(formula, model, [(args[0], not wanted)], literals, pending)
        elif kind == "iff":
            pending.append([[(args[0], True), (args[1], wanted)], [(args[0], False), (args[1], not wanted)]])
        else:
            flip = [(a, wanted != (kind == "implies" and k == 0)) for k, a in enumerate(args)]
            if (kind == "and") == wanted or len(args) == 1:
                assume(formula, model, flip, literals, pending)
            else:
                pending.append([[child] for child in flip])


# ---------------------------------------------------------------- proofs


def check_proof(steps: Any, formula: Table, region: Region, size: Fraction, cut: int | None) -> None:
    """Walks the proof through the negated formula; every branch must close."""
    model = region.model
    need(isinstance(steps, list) and len(steps) <= MOST_STEPS, "a proof is not a list of steps")
    literals: list[Any] = []
    pending: list[Any] = []
    if cut is not None:
        literals += [(cut, k, True) for k in range(model.classes) if k != cut]
    assume(formula, model, [(len(formula) - 1, False)], literals, pending)
    stack: list[Any] = [(literals, pending, {}, {})]
    place = 0
    while stack:
        need(place < len(steps), "the proof ends before all branches are closed")
        step, place = steps[place], place + 1
        literals, pending, limits, phases = stack.pop()
        need(isinstance(step, list) and step and isinstance(step[0], str), "a step is not a list with a name")
        if step[0] == "close":
            close(step, literals, model, region, (size, limits, phases))
        elif step[0] == "open":
            need(len(step) == 2, "a step has the wrong length")
            which = whole(step[1], 0, len(pending) - 1, "the disjunction opened")
            rest = pending[:which] + pending[which + 1 :]
            for alternative in reversed(pending[which]):
                more, left = list(literals), list(rest)
                assume(formula, model, alternative, more, left)
                stack.append((more, left, limits, phases))
        elif step[0] == "halve":
            need(len(step) == 2 and region.norm == "max", "only boxes are halved")
            axis = whole(step[1], 0, model.dimension - 1, "the axis halved")
            low, high = limits.get(axis, (-size, size))
            for part in (((low + high) / 2, high), (low, (low + high) / 2)):
                stack.append((literals, pending, limits | {axis: part}, phases))
        else:
            need(step[0] == "phase" and len(step) == 3 and not model.linear, "unknown kind of step")
            layer = whole(step[1], 0, len(model.layers) - 2, "a layer")
            key = (layer, whole(step[2], 0, len(model.layers[layer].rows) - 1, "a neuron"))
            for active in (False, True):
                stack.append((literals, pending, limits, phases | {key: active}))
    need(place == len(steps), "the proof goes on after all branches are closed")


def close(step: Any, literals: Any, model: Model, region: Region, state: Any) -> None:
    """Refuses unless the multipliers exclude that any embedding of the branch satisfies its literals."""
    need(2 <= len(step) <= 4 and isinstance(step[1], list), "a closing step has the wrong shape")
    extras = dict_of(step[2]) if len(step) > 2 else {}
    weights: dict[int, int] = {}
    slope: list[Any] = [0] * model.dimension
    constant, strict, seen = 0, False, set()
    for pair in step[1]:
        need(isinstance(pair, list) and len(pair) == 2, "a multiplier is not a pair")
        index = whole(pair[0], 0, len(literals) - 1, "a literal's number")
        need(type(pair[1]) is int and pair[1] > 0, "a multiplier is not positive")
        need(index not in seen, "a literal has two multipliers")
        seen.add(index)
        literal = literals[index]
        strict = strict or literal[-1]
        if len(literal) == 3:
            weights[literal[0]] = weights.get(literal[0], 0) + pair[1]
            weights[literal[1]] = weights.get(literal[1], 0) - pair[1]
        else:
            need(index in extras, "a hasCon literal without its bound")
            more, start = cone(literal, extras[index], model, region, state)
            slope = [a + pair[1] * b for a, b in zip(slope, more)]  # noqa: B905
            constant += pair[1] * start
    if not model.linear and (len(step) > 3 or any(weights.get(row) for row in range(model.classes))):
        more, start = relaxed_head(weights, step[3] if len(step) > 3 else [], model, region, state)
        slope, constant = [a + b for a, b in zip(slope, more)], constant + start  # noqa: B905
        weights = {row: weight for row, weight in weights.items() if row >= model.classes}
    for row, weight in weights.items():
        if weight:
            slope = [a + weight * b for a, b in zip(slope, region.forms.rows[row])]  # noqa: B905
            constant += weight * region.forms.constants[row]
    need(excluded(slope, constant, region.norm, state, strict), "multipliers prove nothing")


def reach(slope: Any, norm: str, size: Fraction, limits: Limits | None) -> Any:
    """The largest value of slope'w, exactly (boxes); for ellipsoids its square over size squared."""
    if norm == "euclid":
        return sum(v * v for v in slope)
    if not limits:
        return size * sum(map(abs, slope))
    inside = sum(abs(v) for k, v in enumerate(slope) if k not in limits)
    return size * inside + sum(max(slope[k] * low, slope[k] * high) for k, (low, high) in limits.items())


def excluded(slope: Any, constant: Any, norm: str, state: Any, strict: bool) -> bool:
    """Whether slope'w + constant stays below zero over the region, or at most zero when `strict`."""
    size, limits, _ = state
    if norm == "euclid":
        if constant > 0:
            return False
        excess = size * size * reach(slope, norm, size, limits) - constant * constant
    else:
        excess = constant + reach(slope, norm, size, limits)
    return excess < 0 or (excess == 0 and strict)


def cone(literal: Any, extra: Any, model: Model, region: Region, state: Any) -> tuple[list[Any], Any]:
    """A linear form above `±(q'y - t |y|)` on the region, as slope and constant in units of the base forms.

    Where the literal is convex, |y| >= p'y for a vector with |p| <= 1; elsewhere |y| <= (|y|^2 + s^2) / 2s for s > 0, and
    each y_e^2 lies under its chord between the ends that y_e reaches over the region.
    """
    (concept, wanted), (size, limits, _) = literal, state
    threshold, sign = model.thresholds[concept], 1 if wanted else -1
    mapped, row, unit = region.mapped, model.classes + concept, 1 << region.forms.shift
    if (threshold > 0) == wanted:
        _, p, shift = floats(extra, (len(mapped.rows),), "a cone's vector")
        need(sum(v * v for v in p) <= 1 << 2 * shift, "a cone's vector is longer than 1")
        factor = -abs(threshold) * unit / (1 << (shift + mapped.shift))
        sums, start = p, factor * dot(p, mapped.constants)
    else:
        s = rational(extra, "a cone's scale")
        need(s > 0, "a cone's scale is not positive")
        factor, sums, start = abs(threshold) * unit / (2 * s) / (1 << 2 * mapped.shift), [], Fraction(0)
        for form, middle in zip(mapped.rows, mapped.constants):  # noqa: B905
            if region.norm == "euclid":
                up = down = size * (math.isqrt(sum(v * v for v in form)) + 1)
            else:
                up, down = (reach(f, "max", size, limits) for f in (form, [-v for v in form]))
            low, high = middle - down, middle + up
            sums.append(low + high)
            start += (low + high) * middle - low * high
        start = factor * start + abs(threshold) * unit * s / 2
    slope = [sign * v for v in region.forms.rows[row]]
    for weight, form in zip(sums, mapped.rows):  # noqa: B905
        if weight:
            slope = [a + factor * weight * b for a, b in zip(slope, form)]  # noqa: B905
    return slope, sign * region.forms.constants[row] + start


def neuron_bounds(model: Model, region: Region, size: Fraction) -> list[list[tuple[Fraction, Fraction]]]:
    """Ends of every pre-activation over the whole region, layer by layer, by interval arithmetic."""
    first = region.seen(model.layers[0])
    bounds, unit = [], 1 << first.shift
    for row, constant in zip(first.rows, first.constants):  # noqa: B905
        wide = reach(row, region.norm, size, None)
        wide = size * (math.isqrt(wide) + 1) if region.norm == "euclid" else wide
        bounds.append((Fraction(constant - wide) / unit, Fraction(constant + wide) / unit))
    found = [bounds]
    for layer in model.layers[1:-1]:
        inputs, after, unit = [(max(a, 0), max(b, 0)) for a, b in found[-1]], [], 1 << layer.shift
        for row, constant in zip(layer.rows, layer.constants):  # noqa: B905
            low = sum(v * (a if v > 0 else b) for v, (a, b) in zip(row, inputs))  # noqa: B905
            high = sum(v * (b if v > 0 else a) for v, (a, b) in zip(row, inputs))  # noqa: B905
            after.append(((low + constant) / unit, (high + constant) / unit))
        found.append(after)
    return found


def relaxed_head(weights: Any, extras: Any, model: Model, region: Region, state: Any) -> tuple[list[Any], Any]:
    """A linear form above the weighted logits of a ReLU head on the branch, in units of the base forms.

    Backwards through the layers; `extras` are [layer, neuron, slope]: the slope of a lower bound (0..1), or the multiplier
    (>= 0) of the branch's condition on that neuron.
    """
    size, _, phases = state
    bounds = region.bounds
    if size not in bounds:
        bounds[size] = neuron_bounds(model, region, size)
    need(isinstance(extras, list) and all(isinstance(e, list) and len(e) == 3 for e in extras), "bad slopes")
    need(all(type(e[0]) is int and type(e[1]) is int for e in extras), "bad slopes")
    slopes = {(e[0], e[1]): rational(e[2], "a slope") for e in extras}
    need(all(value >= 0 for value in slopes.values()), "a slope is negative")
    outer, constant = [Fraction(weights.get(c, 0)) for c in range(model.classes)], Fraction(0)
    for depth in range(len(model.layers) - 1, -1, -1):
        layer = model.layers[depth]
        constant += dot(outer, layer.constants) / (1 << layer.shift)
        inner = [dot(outer, column) / (1 << layer.shift) for column in zip(*layer.rows)]  # noqa: B905
        if depth == 0:
            break
        outer = []
        for neuron, weight in enumerate(inner):
            key, (low, high) = (depth - 1, neuron), bounds[size][depth - 1][neuron]
            slope = slopes.get(key, Fraction(0))
            if phases.get(key, low >= 0):
                outer.append(weight + slope)
            elif key in phases or high <= 0:
                outer.append(-slope)
            elif weight > 0:
                outer.append(weight * high / (high - low))
                constant -= weight * high / (high - low) * low
            else:
                need(slope <= 1, "a slope is larger than 1")
                outer.append(weight * slope)
    common = math.lcm(*(v.denominator for v in [*inner, constant]))
    form = region.seen(Forms([[int(v * common) for v in inner]], [int(constant * common)], 0))
    unit = Fraction(1 << region.forms.shift, common << form.shift)
    return [unit * v for v in form.rows[0]], unit * form.constants[0]


# ---------------------------------------------------------------- witnesses


def read_witness(value: Any, model: Model, region: Region, size: Fraction) -> Point:
    """A point of the region: its embedding over a denominator, and how to evaluate a base form there."""
    need(isinstance(value, dict) and value.get("kind") in ("embedding", "coordinates"), "unknown kind of witness")
    if "float64" in value:
        kind, text = fields(value, ["kind", "float64"], "a witness")
        _, point, shift = floats(text, (model.dimension,), "a witness")
        denominator = 1 << shift
    else:
        kind, integers, denominator = fields(value, ["kind", "numerators", "denominator"], "a witness")
        need(isinstance(integers, list) and len(integers) == model.dimension, "a witness has the wrong length")
        need(all(type(v) is int for v in integers), "a witness has a number that is not an integer")
        need(type(denominator) is int and denominator > 0, "a witness has no positive denominator")
        point = list(integers)
    if kind == "embedding":
        need(region.shape == "box", "only a box can tell whether an embedding is inside")
        offset, scale = denominator, 1 << region.shift
        for at, c, s in zip(point, region.centre, region.diagonal):  # noqa: B905
            need(abs(at * scale - c * offset) <= size * abs(s) * offset, "the witness lies outside the region")
        return point, denominator, lambda row: model.base.value(row, point, denominator)
    if region.norm == "max":
        inside = all(abs(v) <= size * denominator for v in point)
    else:
        inside = sum(v * v for v in point) <= (size * denominator) ** 2
    need(inside, "the witness lies outside the region")
    z, below = region.embedding(point, denominator)
    return z, below, lambda row: region.forms.value(row, point, denominator)


def truth(formula: Table, model: Model, point: Any) -> tuple[bool, int | None]:
    """Truth of a formula, and the predicted class or None, at a point."""
    z, denominator, base = point
    if model.linear:
        logits = [base(row) for row in range(model.classes)]
    else:
        logits = [Fraction(v, denominator) for v in z]
        for depth, layer in enumerate(model.layers):
            logits = [max(v, 0) for v in logits] if depth else logits
            sums = [dot(row, logits) + c for row, c in zip(layer.rows, layer.constants)]  # noqa: B905
            logits = [v / (1 << layer.shift) for v in sums]
    best = max(logits)
    winner = logits.index(best) if logits.count(best) == 1 else None
    found: list[bool] = []
    for kind, *args in formula:
        parts = [found[a] for a in args] if kind not in ("predict", "stronger", "has") else []
        if kind == "predict":
            found.append(winner == args[0])
        elif kind == "stronger":
            found.append(base(model.classes + args[0]) > base(model.classes + args[1]))
        elif kind == "has":
            found.append(has_concept(args[0], model, z, denominator))
        elif kind in ("and", "or"):
            found.append(all(parts) if kind == "and" else any(parts))
        else:
            found.append(not parts[0] if kind == "not" else (not parts[0] or parts[1]) if kind == "implies" else
                         parts[0] == parts[1])  # fmt: skip
    return found[-1], winner


def has_concept(concept: int, model: Model, z: Any, denominator: int) -> bool:
    """Whether q'y > t |y|, by signs and squares."""
    t, numerator = model.thresholds[concept], model.strengths.fraction(concept, z, denominator)
    squared = sum(model.mapped.fraction(e, z, denominator) ** 2 for e in range(len(model.mapped.rows)))
    if t >= 0:
        return numerator > 0 and numerator**2 > t**2 * squared
    return (numerator >= 0 and squared > 0) or numerator**2 < t**2 * squared


# ---------------------------------------------------------------- claims


def check_share(claim: dict[str, Any]) -> None:
    """A statistical claim: the exact binomial tail of its counts is within its level."""
    names = ["digest", "kind", "level", "name", "share", "successes", "trials", "verdict"]
    _, _, level, _, share, successes, trials, verdict = fields(claim, names, "a claim about a share")
    share, level = rational(share, "a share"), rational(level, "a level")
    n = whole(trials, 1, 1_000_000, "the number of images")
    k = whole(successes, 0, n, "the number of successes")
    need(0 < share <= 1 and 0 < level < 1, "a share or level is out of range")
    p, q = share.numerator, share.denominator
    upper = verdict == "holds"
    counts = range(k, n + 1) if upper else range(k + 1)
    tail = sum(math.comb(n, i) * p**i * (q - p) ** (n - i) for i in counts)
    need(tail <= level * q**n, "the counts do not decide the share at this level")


def check_certificate(body: dict[str, Any], expected: Expected = ()) -> list[tuple[str, str]]:
    """Checks a whole certificate and returns its claims as (name, verdict); refuses it if anything is amiss."""
    names = ["claims", "digests", "dimension", "format", "head", "lens", "names", "regions", "seal",
             "study", "thresholds"]  # fmt: skip
    fields(body, names, "a certificate")
    need(body["format"] == "conspect-certificate-1", "unknown format")
    need(body["seal"] == digest_json({k: v for k, v in body.items() if k != "seal"}), "the seal is broken")
    model = Model(body)
    head, lens = fields(body["digests"], ["head", "lens"], "digests")
    need(head == model.head_digest, "the head is not the one that its digest names")
    need(lens == model.lens_digest, "the lens is not the one that its digest names")
    for key, digest in expected:
        found = body["digests"].get(key) or dict_of(body["study"]).get(key)
        need(found == digest, f"the certificate speaks of another {key}")
    need(isinstance(body["regions"], list) and isinstance(body["claims"], list), "regions or claims are not lists")
    regions = [Region(value, model) for value in body["regions"]]
    found = []
    for claim in body["claims"]:
        need(isinstance(claim, dict) and isinstance(claim.get("name"), str), "a claim has no name")
        need(claim.get("verdict") in ("holds", "violated"), "a claim has no verdict")
        rest = {k: v for k, v in claim.items() if k not in ("digest", "proof", "region", "witness")}
        tied = rest | {"head": head, "lens": lens, "names": body["names"], "thresholds": body["thresholds"]}
        need(claim.get("digest") == digest_json(tied), "a claim is not the one that its digest names")
        if claim.get("kind") == "share":
            check_share(claim)
        else:
            check_claim(claim, model, regions)
        found.append((claim["name"], claim["verdict"]))
    return found


def check_claim(claim: dict[str, Any], model: Model, regions: Any) -> None:
    """One claim about a region: its proof or its witness."""
    held = claim["verdict"] == "holds"
    names = ["cut", "digest", "formula", "kind", "name", "region", "region_digest", "size", "verdict"]
    fields(claim, [*names, "proof" if held else "witness"], "a claim")
    region = regions[whole(claim["region"], 0, len(regions) - 1, "a region's number")]
    size, cut = rational(claim["size"], "a size"), claim["cut"]
    need(size >= 0 and claim["kind"] == "region", "a negative size or an unknown kind of claim")
    need(cut is None or whole(cut, 0, model.classes - 1, "a cut") == cut, "a cut is no class")
    need(claim["region_digest"] == region.digest(size, cut), "the region is not the one that its digest names")
    formula = read_formula(claim["formula"], model)
    if held:
        check_proof(claim["proof"], formula, region, size, cut)
        return
    true, winner = truth(formula, model, read_witness(claim["witness"], model, region, size))
    need(not true, "the formula is true at the witness")
    need(cut is None or winner == cut, "the witness lies outside the cut of the region")


def dict_of(value: Any) -> dict[Any, Any]:
    """A list of [key, value] pairs, or an object, as a dictionary."""
    if isinstance(value, dict):
        return value
    pairs = isinstance(value, list) and all(isinstance(p, list) and len(p) == 2 for p in value)
    need(pairs and all(type(p[0]) is int for p in value), "not a list of pairs")
    need(len({p[0] for p in value}) == len(value), "a number appears twice")
    return {p[0]: p[1] for p in value}


def check_file(path: str | Path, expected: Expected = ()) -> list[tuple[str, str]]:
    """Claims of a certificate file; raises Refused, for whatever reason it proves nothing."""
    try:
        need(Path(path).stat().st_size <= LARGEST_FILE, "the file is too large")
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise Refused(f"not readable: {error}") from None
    return check_data(data, expected)


def check_data(data: bytes, expected: Expected = ()) -> list[tuple[str, str]]:
    """Claims of a certificate's bytes; raises Refused, for whatever reason they prove nothing."""
    try:
        return check_certificate(load(data), expected)
    except (
        RecursionError,
        MemoryError,
        OverflowError,
        TypeError,
        ValueError,
        KeyError,
        IndexError,
        AttributeError,
    ) as error:
        raise Refused(f"malformed: {type(error).__name__}") from None


def main(arguments: Sequence[str]) -> int:
    """Checks files, prints a line for each; `--expect KEY=DIGEST` ties them to a known head, lens or study entry."""
    expected, files = [], []
    words = iter(arguments)
    for word in words:
        if word == "--expect":
            key, _, digest = next(words, "").partition("=")
            expected.append((key, digest))
        else:
            files.append(word)
    if not files:
        print("usage: check.py [--expect KEY=DIGEST]... FILE...", file=sys.stderr)
        return 2
    refused = False
    for path in files:
        try:
            found = check_file(path, expected)
        except Refused as reason:
            refused = True
            print(f"{path}: REFUSED: {reason}")
        else:
            held = sum(verdict == "holds" for _, verdict in found)
            print(f"{path}: accepted: {held} claims hold, {len(found) - held} are violated")
    return int(refused)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

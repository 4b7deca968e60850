"""Fuzzing and timing of the parser: what leaves it, how long it takes at worst, how much memory it needs."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from conspect.bench.rows import Row, peak_memory, row
from conspect.core.diagnostics import ConspectError
from conspect.language.meaning.checker import check_text

GOOD = (
    """# comment
class truck
con metallic
con ears
network resnet18
rep clip
Module trucks (resnet18, truck, clip) {
    E e1 ::> predict(truck)
    E e2 ::> >(truck, metallic, ears)
    E e3 ::> predict(truck) => ~hasCon(ears) ^ (hasCon(wheels) v hasCon(metallic wet))
}
""",
    """concept metallic = "made of metal", "shiny metal surface"
property trucks_are_metallic:
    for all x in focus(truck, gamma = 0.4) where predict(x, truck):
        predict(x, truck) implies metallic > ears
property mostly_metallic:
    for 95% of x in images(truck, split = "test"):
        metallic > ears and wheels > wings
property one: for x = image("test/00017"): not (a > b > c iff each of {d, "e f"} > each of {g})
""",
    """predict(x, truck) => >(x, metallic, ears)
¬hasCon(x, ears) ∧ (hasCon(x, wheels) ∨ hasCon(x, metallic, wet)) ⇔ predict(x, car)
∀ y ∈ focus(ship, coverage = 90%, shape = pca-box): predict(y, ship) -> >(y, wet, hairy)
""",
)
_PIECES = (
    *"(){},;:=>%/~!^&|v\"\\#\n\r\t\0 ",
    "::>", "=>", "<=>", "->", ">(", "&&", ">=", "E e1 ::> ", "property p: ", "for all x in ", "focus(c)", "for 95% of ",
    "Module m (a, b, c) {", "class ", "con ", "each of {", "predict(", "hasCon(", "not ", "and ", "iff ", "where ",
    "∀", "\ufeff", "\ud800", "\udfff", "\u2028", "\u200b", "é", "👀", "0.4", "9" * 50, '"\\u0041"', '"\\q"', "-", "--",
)  # fmt: skip
_OPENERS = ("(", "~", "not ", "(~(", "a > b => ", "a > b iff (", "predict(x, c) ^ (", "hasCon(", "each of {")


@dataclass
class FuzzReport:
    """What a fuzzing run saw. Times in seconds of processor time, memory in MB of the whole process at its largest."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    escaped: list[str] = field(default_factory=list)
    slowest: float = 0.0
    slowest_input: str = ""
    seconds: float = 0.0
    memory: float = 0.0


def hostile_input(rng: random.Random) -> str | bytes:
    """One input: a mutated good file, random bytes, deep nesting, a huge name, lone surrogates, or a mix of pieces."""
    kind = rng.random()
    if kind < 0.55:
        return _mutated(rng)
    if kind < 0.70:
        return rng.randbytes(rng.randrange(1, 200))
    if kind < 0.95:
        return "".join(rng.choice(_PIECES) for _ in range(rng.randrange(1, 60)))
    if kind < 0.98:
        opener = rng.choice(_OPENERS)
        return "property p: " + opener * rng.choice((150, 199, 200, 201, 1000)) + "a > b" + ")" * rng.randrange(300)
    if kind < 0.9999:
        surrogates = chr(rng.randrange(0xD800, 0xE000)) * rng.randrange(1, 9)
        return f"class {'n' * rng.choice((199, 201, 5000))} concept {surrogates}"
    piece: str = rng.choice(
        (*_PIECES, *_OPENERS, *GOOD, "a > b; ", "class a\n")
    )  # as much as a file may hold, and more
    size: int = rng.choice((1 << 18, 1 << 20, (1 << 20) + 9))
    return piece * (size // len(piece))


def _mutated(rng: random.Random) -> str | bytes:
    text = rng.choice(GOOD)
    for _ in range(rng.randrange(1, 6)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice((0, 1, 1, 3, 20)))
        action = rng.randrange(4)
        if action == 0:
            text = text[:start] + text[end:]
        elif action == 1:
            text = text[:start] + rng.choice(_PIECES) + text[end:]
        elif action == 2:
            text = text[:start] + text[start:end] * 3 + text[end:]
        else:
            other = rng.choice(GOOD)
            text = text[:start] + other[rng.randrange(len(other)) :][: rng.randrange(1, 80)] + text[end:]
    if rng.random() < 0.3:
        raw = bytearray(text.encode("utf-8", "surrogatepass"))
        for _ in range(rng.randrange(1, 4)):
            raw[rng.randrange(len(raw)) if raw else 0 : 0] = rng.randbytes(1)
        return bytes(raw)
    return text


def fuzz(inputs: int, seed: int = 0) -> FuzzReport:
    """Parses and checks `inputs` hostile inputs; records whatever leaves the parser that is no `ConspectError`."""
    rng = random.Random(seed)
    report = FuzzReport()
    began = time.perf_counter()
    for _ in range(inputs):
        content = hostile_input(rng)
        start = time.process_time()
        try:
            checked = check_text(content)
            checked.require()
            report.accepted += 1
        except ConspectError:
            report.refused += 1
        except Exception as error:  # what the run is looking for
            report.escaped.append(f"{type(error).__name__}: {error} on {content[:200]!r}")
        spent = time.process_time() - start
        report.inputs += 1
        if spent > report.slowest:
            report.slowest, report.slowest_input = spent, f"{len(content)} characters: {content[:60]!r}"
    report.seconds = time.perf_counter() - began
    report.memory = peak_memory()
    return report


def large_file(properties: int = 10_000) -> str:
    """A correct file in house style with many properties over ten classes and eighteen concepts."""
    classes = [f"class{i}" for i in range(10)]
    concepts = [f"concept{i}" for i in range(18)]
    lines = [f"class {name}" for name in classes] + [f"concept {name}" for name in concepts]
    for index in range(properties):
        class_name, strong = classes[index % 10], concepts[index // 10 % 18]
        weak = concepts[(index // 180 + 1 + index // 10) % 18]
        lines.append(
            f"property p{index}: for all x in focus({class_name}): predict(x, {class_name}) => {strong} > {weak}"
        )
    return "\n".join(lines)


def time_large_file(properties: int = 10_000) -> float:
    """Seconds of processor time to parse and check such a file once."""
    text = large_file(properties)
    start = time.process_time()
    checked = check_text(text)
    spent = time.process_time() - start
    if checked.errors:
        raise AssertionError(str(checked.errors[0]))
    return spent


def rows(inputs: int = 1_000_000, seed: int = 0) -> list[Row]:
    """Fuzzing with `inputs` hostile inputs, and the time that a file of 10,000 properties takes."""
    report = fuzz(inputs, seed)
    large = min(time_large_file() for _ in range(3))
    return [
        row("fuzzed inputs", report.inputs, "inputs", (">=", inputs)),
        row("inputs that parse", report.accepted, "inputs"),
        row("errors other than diagnostics", len(report.escaped), "inputs", ("<=", 0)),
        row("slowest input", round(report.slowest, 3), "s", ("<=", 1)),
        row("memory of the process", round(report.memory), "MB", ("<=", 500)),
        row("inputs per second", round(inputs / max(report.seconds, 1e-9)), "1/s"),
        row("10,000 properties, parse and check", round(large, 3), "s", ("<=", 2)),
    ]

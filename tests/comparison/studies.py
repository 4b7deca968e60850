"""Results of two small studies: the finished study of the fakes, and the same after its failures moved."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from conspect.results.localization import Failure
from conspect.results.results import Results
from conspect.results.shares import Share
from conspect.results.verification import Property, Verification
from conspect.statistics.intervals import wilson


def share(successes: int, n: int) -> Share:
    """As a study records it."""
    low, high = wilson(successes, n)
    value = successes / n if n else None
    return Share(value=value, low=float(low), high=float(high), successes=successes, n=n)


def with_failures(results: Results, failures: Iterable[Failure]) -> Results:
    """The same study of a model that fails on exactly these images; what the comparison reads is consistent."""
    failing = tuple(failures)
    totals = [sum(row) for row in results.model.confusion]
    confusion = [[0] * len(results.classes) for _ in results.classes]
    for failure in failing:
        confusion[results.classes.index(failure.label)][results.classes.index(failure.output)] += 1
    for k, total in enumerate(totals):
        confusion[k][k] = total - sum(confusion[k])
    by_class = tuple(
        replace(quality, recall=share(confusion[k][k], totals[k])) for k, quality in enumerate(results.model.by_class)
    )
    right = sum(confusion[k][k] for k in range(len(confusion)))
    model = replace(
        results.model,
        digest="another model",
        accuracy=right / sum(totals),
        accuracy_interval=share(right, sum(totals)),
        confusion=tuple(tuple(row) for row in confusion),
        by_class=by_class,
    )
    located = replace(results.localization, images=failing, failures=len(failing))
    return msgspec.convert(msgspec.to_builtins(replace(results, model=model, localization=located)), Results)


def failure(results: Results, name: str, label: str, output: str) -> Failure:
    """A failure on another image, otherwise like the study's first."""
    return replace(results.localization.images[0], id=name, label=label, output=output)


def property_of(name: str, verdict: str, statement: str = "a > b") -> Property:
    return Property(
        id=name, kind="region", file="x.cspec", line=1, class_name="red", statement=statement, verdict=verdict,  # type: ignore[arg-type]
        reason="because" if verdict == "unknown" else "", margin=None, region=None, gamma_max=None, gamma_max_bracket=None,
        curve=(), coverage=0.5, coverage_interval=None, satisfaction=None, witness=None, certificate=None, decided_by="",
        caveats=(), seconds=0.0,
    )  # fmt: skip


def verified(results: Results, *properties: Property) -> Results:
    return replace(
        results,
        verification=Verification(
            files=("x.cspec",), by_gamma=(), by_coverage=(), statistically=(), properties=properties
        ),
    )

"""Results to an assurance case: accuracy, the lens, properties by class, the monitor; what is missing is a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from conspect.core.percentages import narrow
from conspect.core.verdicts import PropertyKind
from conspect.language.syntax.parser import parse_with_diagnostics
from conspect.language.writing.explanation import explain
from conspect.results.assurance import AssuranceCase, Element, Node, Support
from conspect.results.results import Results
from conspect.results.shares import Share
from conspect.results.verification import Property

# Below this share of held-out images inside its region, a proof says next to nothing about real images.
LITTLE_COVERAGE = 0.5


@dataclass
class _Builder:
    nodes: dict[str, Node] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: {"G": 1})  # G1 is the root, which is made last

    def add(
        self,
        element: Element,
        text: str,
        support: Support,
        *,
        digests: dict[str, str] | None = None,
        supported_by: Sequence[str] = (),
        in_context_of: Sequence[str] = (),
        name: str | None = None,
    ) -> str:
        letter = {"goal": "G", "strategy": "S", "solution": "Sn", "context": "C", "assumption": "A"}[element]
        if name is None:
            self.counts[letter] = self.counts.get(letter, 0) + 1
            name = f"{letter}{self.counts[letter]}"
        self.nodes[name] = Node(
            id=name,
            element=element,
            text=text,
            support=support,
            digests=digests or {},
            supported_by=tuple(supported_by),
            in_context_of=tuple(in_context_of),
        )
        return name

    def support_of(self, names: Sequence[str]) -> Support:
        """Refuted when one part is, else a gap when one is or there is none, else shown."""
        states = {self.nodes[name].support for name in names}
        return "refuted" if "refuted" in states else "gap" if "gap" in states or not states else "shown"


def assurance_case(results: Results, study: str) -> AssuranceCase:
    """The case that the results can make for the model; behind each claim stands a figure, a verdict or a certificate."""
    build = _Builder()
    contexts = [
        build.add("context", f"Model {results.model.name}", "shown", digests={"model": results.model.digest}),
        build.add(
            "context",
            f"{results.dataset.readable:,} of {results.dataset.images:,} {results.dataset.split} images of "
            f"{results.dataset.name}",
            "shown",
            digests={"data": results.dataset.digest},
        ),
        build.add(
            "context",
            f"Concepts are read through the lens {results.vlm.name}",
            "shown",
            digests={"vlm": results.vlm.digest, "lens": results.alignment.lens_digest},
        ),
        build.add(
            "assumption", "Inputs in use are like the images of the study; nothing in the study can show that.", "gap"
        ),
    ]
    parts = [_accuracy(build, results), _properties(build, results), _monitor(build, results)]
    root = build.add(
        "goal",
        f"{results.model.name} is fit for use on inputs like those of {results.dataset.name}",
        build.support_of(parts),
        supported_by=parts,
        in_context_of=contexts,
        name="G1",
    )
    nodes = [build.nodes.pop(root), *build.nodes.values()]
    leaves = [node for node in nodes if node.element == "goal" and node.id != root]
    return AssuranceCase(
        study=study,
        root=root,
        nodes=tuple(nodes),
        shown=sum(node.support == "shown" for node in leaves),
        gaps=sum(node.support == "gap" for node in leaves),
        refuted=sum(node.support == "refuted" for node in leaves),
    )


def _accuracy(build: _Builder, results: Results) -> str:
    """What was measured is shown as measured; what would be enough is the reader's to say, and an open goal."""
    overall = build.add("solution", _measured("Accuracy", results.model.accuracy_interval), "shown")
    classes = [quality for quality in results.model.by_class if quality.recall.n]
    evidence = [overall]
    if classes:
        worst = min(classes, key=lambda quality: quality.recall.value or 0.0)
        evidence.append(
            build.add(
                "solution", _measured(f'Accuracy on "{worst.class_name}", the worst class', worst.recall), "shown"
            )
        )
    measured = build.add(
        "goal", "The share of right outputs is known with its interval", "shown", supported_by=evidence
    )
    enough = build.add("goal", "That share is enough for the use (requirement not in the study)", "gap")
    strategy = build.add("strategy", "By measuring outputs on held-out images", "gap", supported_by=[measured, enough])
    return build.add("goal", "Outputs are right often enough", "gap", supported_by=[strategy])


def _measured(what: str, share: Share) -> str:
    value = "none" if share.value is None else narrow(share.value)
    return f"{what}: {value} ({narrow(share.low)} to {narrow(share.high)}, {share.n:,} images)"


def _properties(build: _Builder, results: Results) -> str:
    verification = results.verification
    text = "Outputs rest on the concepts that are required"
    if verification is None or not verification.properties:
        missing = build.add("goal", "Requirements are written as properties and verified", "gap")
        return build.add("goal", text, "gap", supported_by=[missing])
    groups: dict[str, list[str]] = {}
    for entry in verification.properties:
        groups.setdefault(entry.class_name or "all classes", []).append(_property(build, entry))
    strategies = [
        build.add("strategy", f"By {len(goals):,} properties of {name}", build.support_of(goals), supported_by=goals)
        for name, goals in groups.items()
    ]
    return build.add("goal", text, build.support_of(strategies), supported_by=strategies)


def _property(build: _Builder, entry: Property) -> str:
    """Shown where it holds over a region with real images in it (or on images), by a certificate or an exact test, and its
    premise is met somewhere.
    """
    support: Support = {"holds": "shown", "violated": "refuted", "unknown": "gap"}[entry.verdict]  # type: ignore[assignment]
    verdict = entry.verdict + (f": {entry.reason}" if entry.reason else "")
    if entry.region is not None:
        verdict += f", over a {entry.region.shape} of {entry.region.gamma:g} standard deviations"
    if entry.kind == "region":
        known = "" if entry.coverage is None else f" that contains {narrow(entry.coverage)} of the held-out images"
        verdict += known
        if support == "shown" and (entry.coverage is None or entry.coverage < LITTLE_COVERAGE):
            support = "gap"
            verdict += (
                ": too few to show the requirement for real images" if known else ", in which no image was looked for"
            )
    elif entry.caveats:
        verdict += f" ({'; '.join(entry.caveats)})"
    if support == "shown" and entry.vacuous:
        support = "gap"
    digests = {} if entry.certificate is None else {"certificate": entry.certificate}
    if entry.region is not None:
        digests["region"] = entry.region.digest
    solution = build.add("solution", verdict, support, digests=digests)
    return build.add("goal", f"{entry.id}: {_requirement(entry)}", support, supported_by=[solution])


# How often a property of each kind claims its statement; the sizes stand in the verdict.
_HOW_OFTEN: dict[PropertyKind, str] = {
    "region": "Everywhere in its region",
    "share": "On the share of images that it names",
    "image": "For the one image that it names",
    "near": "Under the changes of images that it names",
}


def _requirement(entry: Property) -> str:
    """The property in English, with how often it is claimed; its statement, where the record's text is none that stands alone."""
    text = f"property p: for all x in focus(c): {entry.statement}"
    parsed = parse_with_diagnostics(text)
    claim = entry.statement if parsed.errors else explain(parsed.tree)[0].claim
    asked = f" ({entry.quantifier})" if entry.quantifier else ""
    return f"{_HOW_OFTEN[entry.kind]}{asked}: {claim}"


def _monitor(build: _Builder, results: Results) -> str:
    text = "Outputs that are wrong are noticed in use"
    monitor = results.monitor
    if monitor is None:
        why = results.monitor_left_out or "the study has no [monitor]"
        return build.add(
            "goal", text, "gap", supported_by=[build.add("goal", f"A monitor is fitted and measured ({why})", "gap")]
        )
    goals = []
    for sentence in monitor.guarantee.sentences:
        kept = build.add(
            "solution",
            f"Thresholds set on {monitor.guarantee.images:,} images, {monitor.guarantee.wrong:,} of them wrong",
            "shown" if monitor.guarantee.accepts else "gap",
        )
        goals.append(build.add("goal", sentence, "shown" if monitor.guarantee.accepts else "gap", supported_by=[kept]))
    flagged = monitor.kept.failures_flagged
    value = "none" if flagged.value is None else narrow(flagged.value)
    solution = build.add(
        "solution",
        f"{value} of the failures are called suspect ({narrow(flagged.low)} to {narrow(flagged.high)})",
        "shown",
    )
    goals.append(build.add("goal", "The share of failures that is noticed is known", "shown", supported_by=[solution]))
    goals.append(build.add("goal", "That share is enough for the use (requirement not in the study)", "gap"))
    return build.add("goal", text, build.support_of(goals), supported_by=goals)

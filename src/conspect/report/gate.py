"""The verdict of a gate as lines, as Markdown for a pull request, as JUnit XML and as SARIF."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter

from conspect.core.json_value import JsonObject, JsonValue
from conspect.core.markdown import in_markdown
from conspect.core.points import points
from conspect.core.terminal import on_one_line
from conspect.report.plain import in_xml
from conspect.report.sarif import SCHEMA, in_sarif, uri_of
from conspect.results.comparison import GateOutcome, GateRule, GateVerdict

# SARIF's kind of a result; its level must be "none" wherever the kind is not "fail".
KINDS: dict[GateOutcome, str] = {"pass": "pass", "fail": "fail", "investigate": "review"}
MARKS: dict[GateOutcome, str] = {"pass": "✅ pass", "fail": "❌ fail", "investigate": "🔍 investigate"}
SENTENCES_SHOWN = 8


def gate_lines(verdict: GateVerdict) -> list[str]:
    """The verdict, then a line for each rule."""
    comparison = verdict.comparison
    head = f"{verdict.outcome}: {comparison.after.name} against {comparison.before.name}"
    return [on_one_line(line) for line in (head, *(f"  {rule.sentence}" for rule in verdict.rules))]


def gate_markdown(verdict: GateVerdict) -> str:
    """A summary for a pull request: the verdict, a table of rules, what else changed."""
    comparison = verdict.comparison
    lines = [
        f"### Conspect: {MARKS[verdict.outcome]}",
        "",
        f"{in_markdown(comparison.after.name)} against {in_markdown(comparison.before.name)}",
        "",
        "| rule | allowed | lost | interval | outcome |",
        "|---|---|---|---|---|",
        *(_row(rule) for rule in verdict.rules),
        "",
        *(f"* {in_markdown(line)}" for line in comparison.sentences[:SENTENCES_SHOWN]),
    ]
    hidden = len(comparison.sentences) - SENTENCES_SHOWN
    if hidden > 0:
        lines.append(f"* and {hidden} more, which `conspect compare` of the two says")
    return "\n".join(lines) + "\n"


def _row(rule: GateRule) -> str:
    whole = rule.name == "properties"

    def shown(value: float | None) -> str:
        return "–" if value is None else f"{value:.0f}" if whole else points(value, rule.tolerance)

    interval = "–" if rule.low is None else f"{shown(rule.low)} to {shown(rule.high)}"
    cells = (in_markdown(rule.name), shown(rule.tolerance), shown(rule.loss), interval, MARKS[rule.outcome])
    return f"| {' | '.join(cells)} |"


def gate_junit(verdict: GateVerdict) -> str:
    """One test case for each rule: fail is a failure, investigate an error, as for properties."""
    counts = Counter(rule.outcome for rule in verdict.rules)
    numbers = {
        "tests": str(len(verdict.rules)),
        "failures": str(counts["fail"]),
        "errors": str(counts["investigate"]),
    }
    root = ET.Element("testsuites", name="conspect gate", attrib=numbers)
    suite = ET.SubElement(root, "testsuite", name=in_xml(verdict.comparison.after.name), attrib=numbers)
    for rule in verdict.rules:
        case = ET.SubElement(suite, "testcase", name=in_xml(rule.name), classname="conspect.gate")
        if rule.outcome == "pass":
            ET.SubElement(case, "system-out").text = in_xml(rule.sentence)
        else:
            kind = "failure" if rule.outcome == "fail" else "error"
            sentence = in_xml(rule.sentence)
            ET.SubElement(case, kind, message=sentence, type=rule.outcome).text = sentence
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode")


def gate_sarif(verdict: GateVerdict, *, version: str, study_file: str) -> JsonObject:
    """One run with a result for each rule, placed at `study_file`, where the tolerances stand."""
    names = {rule.name: f"conspect/gate/{rule.name.split(' ')[0]}" for rule in verdict.rules}
    rules: list[JsonValue] = [
        {"id": identity, "shortDescription": {"text": f"what a study may lose of: {identity.rsplit('/', 1)[1]}"}}
        for identity in dict.fromkeys(names.values())
    ]
    results: list[JsonValue] = [
        {
            "ruleId": names[rule.name],
            "kind": KINDS[rule.outcome],
            "level": "error" if rule.outcome == "fail" else "none",
            "message": {"text": in_sarif(rule.sentence)},
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": uri_of(study_file)}, "region": {"startLine": 1}}}
            ],
        }
        for rule in verdict.rules
    ]
    driver: JsonObject = {"name": "conspect", "version": version, "rules": rules}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}

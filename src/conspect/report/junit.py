"""Results as JUnit XML, which build servers show: violated is a failure, unknown an error."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence

from conspect.report.plain import in_xml
from conspect.results.verification import Property


def junit_xml(results: Sequence[Property]) -> str:
    """One test suite per file, one test case per property."""
    verdicts = Counter(result.verdict for result in results)
    root = ET.Element(
        "testsuites",
        name="conspect verify",
        tests=str(len(results)),
        failures=str(verdicts["violated"]),
        errors=str(verdicts["unknown"]),
        time=f"{sum(result.seconds for result in results):.6f}",
    )
    files = list(dict.fromkeys(result.file for result in results))
    for file in files:
        members = [result for result in results if result.file == file]
        counts = Counter(result.verdict for result in members)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=in_xml(file or "specification"),
            tests=str(len(members)),
            failures=str(counts["violated"]),
            errors=str(counts["unknown"]),
            time=f"{sum(result.seconds for result in members):.6f}",
        )
        for result in members:
            case = ET.SubElement(
                suite,
                "testcase",
                name=in_xml(result.id),
                classname=in_xml(result.class_name or "all classes"),
                time=f"{result.seconds:.6f}",
            )
            message = in_xml(result.reason or f"violated: {claim_of(result)}")
            # Readers show the message, the text, or both; the text has the place, for which the format has no attribute.
            text = in_xml(f"{_place(result)}{claim_of(result)}\n{result.reason}".rstrip())
            if result.verdict == "violated":
                ET.SubElement(case, "failure", message=message, type="violated").text = text
            elif result.verdict == "unknown":
                ET.SubElement(case, "error", message=message, type="unknown").text = text
            notes = [result.reason] if result.vacuous else []
            if notes or result.caveats:
                ET.SubElement(case, "system-out").text = in_xml("\n".join([*notes, *result.caveats]))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode")


def claim_of(result: Property) -> str:
    """The statement, behind the inputs that it is claimed for."""
    return f"{result.quantifier}: {result.statement}" if result.quantifier else result.statement


def _place(result: Property) -> str:
    return f"{result.file}:{result.line}: " if result.file and result.line is not None else ""

"""Results as JUnit XML, which build servers show: violated is a failure, unknown an error."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence

from conspect.verification.results import PropertyResult

# XML 1.0 has no place for these characters, escaped or not.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def junit_xml(results: Sequence[PropertyResult]) -> str:
    """One test suite per file, one test case per property."""
    root = ET.Element("testsuites", name="conspect verify")
    files = list(dict.fromkeys(result.file for result in results))
    for file in files:
        members = [result for result in results if result.file == file]
        counts = Counter(result.verdict.outcome for result in members)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_clean(file or "specification"),
            tests=str(len(members)),
            failures=str(counts["violated"]),
            errors=str(counts["unknown"]),
            time=f"{sum(result.seconds for result in members):.6f}",
        )
        for result in members:
            case = ET.SubElement(
                suite,
                "testcase",
                name=_clean(result.name),
                classname=_clean(result.class_name or "all classes"),
                time=f"{result.seconds:.6f}",
            )
            if result.line is not None:
                case.set("line", str(result.line))
            message = _clean(result.verdict.reason or f"violated: {result.statement}")
            if result.verdict.outcome == "violated":
                ET.SubElement(case, "failure", message=message, type="violated")
            elif result.verdict.outcome == "unknown":
                ET.SubElement(case, "error", message=message, type="unknown")
            notes = [result.verdict.reason] if result.vacuous else []
            if notes or result.caveats:
                ET.SubElement(case, "system-out").text = _clean("\n".join([*notes, *result.caveats]))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode")


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)

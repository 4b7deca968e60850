"""A diagnosis for a terminal and for a build server: the same record as in the report."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from conspect.core.percentages import percent
from conspect.report.plain import in_xml
from conspect.results.diagnosis import Diagnosis


def doctor_lines(diagnosis: Diagnosis) -> list[str]:
    """The headline, the suspects with their probabilities, and a line for each kind of evidence."""
    chances = sorted(diagnosis.suspects, key=lambda suspect: -suspect.probability)
    suspects = ", ".join(f"{chance.suspect} {percent(chance.probability, 0)}" for chance in chances)
    return [diagnosis.headline, f"Suspects: {suspects}.", *(f"- {line}" for line in diagnosis.evidence)]


def doctor_junit(diagnosis: Diagnosis) -> str:
    """One test case for each suspect: the one that is named fails, those that cannot be told apart are errors."""
    broken = [chance.suspect for chance in diagnosis.suspects if chance.suspect != "none"]
    named = [suspect for suspect in diagnosis.named if suspect != "none"]
    decided = len(diagnosis.named) == 1
    numbers = {
        "tests": str(len(broken)),
        "failures": str(len(named) if decided else 0),
        "errors": str(0 if decided else len(named)),
    }
    root = ET.Element("testsuites", name="conspect doctor", attrib=numbers)
    suite = ET.SubElement(root, "testsuite", name="diagnosis", attrib=numbers)
    for suspect in broken:
        case = ET.SubElement(suite, "testcase", name=in_xml(suspect), classname="conspect.doctor")
        if suspect in named:
            kind = "failure" if decided else "error"
            sentence = in_xml(diagnosis.sentence)
            ET.SubElement(case, kind, message=sentence, type="broken" if decided else "undecided").text = sentence
    ET.SubElement(suite, "system-out").text = in_xml("\n".join((diagnosis.headline, *diagnosis.evidence)))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode")

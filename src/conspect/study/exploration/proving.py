"""Specifications while they are typed: the same diagnostics, explanations and verdicts as on the command line."""

from __future__ import annotations

from threading import Lock

from conspect.core.diagnostics import Diagnostic
from conspect.language.meaning.checker import check_text
from conspect.language.meaning.vocabulary import Vocabulary
from conspect.language.writing.explanation import explain
from conspect.results.exploration import CheckedText, PropertyExplanation, SpecificationProblem, Verdicts
from conspect.study.proving.records import property_record
from conspect.study.study import Study

LONGEST_TEXT = 100_000


class Proving:
    """Checks and verifies texts against one study; verification takes one text at a time."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._vocabulary: Vocabulary | None = None
        self._lock = Lock()

    def check(self, text: str) -> CheckedText:
        """What is wrong or odd about `text`, and what its properties say in English. Never raises for a wrong text."""
        checked = check_text(text.encode(), self._names(), "the specification")
        problems = [_problem(entry, warning=False) for entry in checked.errors]
        problems += [_problem(entry, warning=True) for entry in checked.warnings]
        explanations = (
            tuple(
                PropertyExplanation(entry.name, entry.line, entry.claim, entry.quantifier, entry.region, entry.notes)
                for entry in explain(checked.tree)
            )
            if not checked.errors
            else ()
        )
        return CheckedText(tuple(problems), explanations)

    def verify(self, text: str) -> Verdicts:
        """A verdict for each property of `text`. Raises UserError with every mistake."""
        with self._lock:
            results = self._study.verify(text, file="the specification")
        return Verdicts(tuple(property_record(result) for result in results))

    def _names(self) -> Vocabulary:
        from conspect.verification.queries.vocabulary import vocabulary_of

        with self._lock:
            if self._vocabulary is None:
                self._vocabulary = vocabulary_of(self._study.verification_subject())
            return self._vocabulary


def _problem(entry: Diagnostic, *, warning: bool) -> SpecificationProblem:
    place = entry.place
    line, column = (None, None) if place is None else (place.line, place.column)
    return SpecificationProblem(entry.code, entry.problem, entry.fix, line, column, warning)

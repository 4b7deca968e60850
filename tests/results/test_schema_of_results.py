"""Results of another schema are told as such, not as a field that is unknown."""

import json

import pytest

from conspect.results.results import SCHEMA, decoded_results


def test_results_of_another_schema_say_which() -> None:
    older = json.dumps({"schema": SCHEMA - 1, "localization": {"counts": {}}}).encode()
    with pytest.raises(ValueError, match=f"it is of schema {SCHEMA - 1}, and this version reads schema {SCHEMA}"):
        decoded_results(older)

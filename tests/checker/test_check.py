"""The checker: accepts what is proved, refuses everything else, needs nothing but the standard library."""

import ast
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from conspect.bench.mutations import STRUCTURAL, TEXTUAL, mutated, seal
from conspect.bench.random_properties import batches
from conspect.bench.soundness import certificate_of
from conspect.checker import check

FILE = Path(check.__file__)


@pytest.fixture(scope="module")
def good():
    """A certificate with proofs and witnesses, over boxes in few dimensions."""
    subject, cases = next(iter(batches(40, 11, per_subject=40)))
    return json.loads(json.dumps(certificate_of(subject, cases)))


def accepts(body):
    return check.check_data(json.dumps(body).encode())


def test_a_good_certificate_is_accepted_with_all_its_claims(good):
    claims = accepts(good)
    assert len(claims) == len(good["claims"])
    assert {verdict for _, verdict in claims} == {"holds", "violated"}


def test_the_checker_imports_the_standard_library_alone():
    names = set()
    for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).split(".")[0])
    assert names <= set(sys.stdlib_module_names) | {"__future__"}


def test_the_checker_runs_on_its_own(good, tmp_path):
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(good))
    bare = [sys.executable, "-I", "-S", str(FILE)]
    done = subprocess.run([*bare, str(path)], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert "accepted" in done.stdout
    path.write_text(path.read_text()[:-40])
    done = subprocess.run([*bare, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "REFUSED" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", [*TEXTUAL, *STRUCTURAL])
def test_every_kind_of_mutation_is_refused(good, how, monkeypatch):
    monkeypatch.setattr("conspect.bench.mutations.TEXTUAL", {k: v for k, v in TEXTUAL.items() if k == how})
    monkeypatch.setattr("conspect.bench.mutations.STRUCTURAL", {k: v for k, v in STRUCTURAL.items() if k == how})
    mutants = list(mutated(good, 15, random.Random(3)))
    assert len(mutants) == 15
    for name, data in mutants:
        with pytest.raises(check.Refused):
            check.check_data(data)
        assert name == how


def test_an_honest_new_seal_is_accepted(good):
    again = seal(json.loads(json.dumps(good)), claims=True)
    assert accepts(again) == accepts(good)


def test_a_certificate_of_another_model_is_refused_when_one_is_expected(good):
    data = json.dumps(good).encode()
    head = good["digests"]["head"]
    assert check.check_data(data, [("head", head)])
    with pytest.raises(check.Refused, match="another head"):
        check.check_data(data, [("head", "0" * 64)])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"format": 1e999}',
        b'{"format": NaN}',
        b'{"a": 1, "a": 2}',
        b"[" * 1_000_000,
        b'{"format": ' + b"9" * 100_000 + b"}",
        b'{"format": "conspect-certificate-1"}',
    ],
)
def test_hostile_bytes_are_refused_and_nothing_else_happens(data):
    with pytest.raises(check.Refused):
        check.check_data(data)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(check.Refused, match="not readable"):
        check.check_file(tmp_path / "nothing.json")


def test_a_share_is_accepted_only_within_its_level():
    claim = {"digest": "", "kind": "share", "name": "p", "verdict": "holds", "share": "9/10", "level": "1/20"}
    check.check_share(claim | {"successes": 60, "trials": 60})
    with pytest.raises(check.Refused, match="decide"):
        check.check_share(claim | {"successes": 54, "trials": 60})
    check.check_share(claim | {"successes": 40, "trials": 60, "verdict": "violated"})

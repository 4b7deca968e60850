"""The checker: accepts what is proved, refuses everything else, needs nothing but the standard library."""

import ast
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from conspect.bench.forging.mutations import STRUCTURAL, TEXTUAL, mutated
from conspect.bench.forging.mutations_near import retied
from conspect.bench.soundness import OPTIONS, bodies, over_regions
from conspect.bench.soundness_near import around_images
from conspect.bench.tally import Tally
from conspect.bench.workloads.random_properties import batches
from conspect.checker import check
from conspect.verification.certificates.writing import bundle, sealed
from tests.verification.batches import certificate_of

FILE = Path(check.__file__)


@pytest.fixture(scope="module")
def good():
    """A certificate with proofs and witnesses, over boxes in few dimensions."""
    subject, cases = next(iter(batches(40, 11, per_subject=40)))
    return json.loads(json.dumps(certificate_of(subject, cases)))


@pytest.fixture(scope="module")
def every(good):
    """Certificates of every kind of claim."""
    subject, cases = next(iter(batches(40, 11, per_subject=40)))
    ends = over_regions("linear", subject, cases, Tally())
    kinds = ("2 hidden", "band", "extent", "image")
    others = [body for kind, body in bodies(40, 3, Tally()) if kind in kinds and body]
    near = around_images(np.random.default_rng(2), 10, OPTIONS, Tally())
    return [good, ends, *others, json.loads(sealed(bundle(*near)))]


def accepts(body):
    return check.check_data(sealed(body))


def test_a_good_certificate_is_accepted_with_all_its_claims(good):
    claims = accepts(good)
    assert len(claims) == len(good["claims"])
    assert {claim.verdict for claim in claims} == {"holds", "violated"}


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
    path.write_bytes(sealed(good))
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
def test_every_kind_of_mutation_is_refused(every, how, monkeypatch):
    monkeypatch.setattr("conspect.bench.forging.mutations.TEXTUAL", {k: v for k, v in TEXTUAL.items() if k == how})
    monkeypatch.setattr(
        "conspect.bench.forging.mutations.STRUCTURAL", {k: v for k, v in STRUCTURAL.items() if k == how}
    )
    mutants = [mutant for body in every for mutant in mutated(body, 5, random.Random(3))]
    assert len(mutants) >= 5
    for name, data in mutants:
        with pytest.raises(check.Refused):
            check.check_data(data)
        assert name == how


def test_an_honest_new_seal_is_accepted(good):
    again = retied(json.loads(json.dumps(good)))
    assert accepts(again) == accepts(good)


def test_a_certificate_of_another_model_is_refused_when_one_is_expected(good):
    data = sealed(good)
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


@pytest.fixture
def share(good):
    """A certificate with one claim about a share, 60 of 60 images for 90 % at 5 %."""
    digest = "0" * 64
    claim = {
        "kind": "share", "name": "p", "file": "", "statement": "", "formula": [["predict", 0]], "verdict": "holds",
        "class": None, "split": "test", "images": digest, "outcomes": digest, "share": "9/10", "level": "1/20",
        "successes": 60, "trials": 60,
    }  # fmt: skip
    return good | {"claims": [claim]}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"successes": 54}, "decide"),
        ({"successes": 40, "verdict": "violated"}, None),
        ({"successes": 54, "verdict": "violated"}, "decide"),
        ({"successes": 0, "trials": 0}, "decide"),
        ({"share": "1"}, "decide"),
        ({"share": "1", "successes": 59, "verdict": "violated"}, None),
        ({"share": "11/10"}, "range"),
        ({"level": "1"}, "range"),
        ({"images": "the first sixty"}, "no digest"),
        ({"class": "no such class"}, "no class"),
        ({"formula": [["predict", 99]]}, "argument"),
        ({"successes": 61}, "successes"),
        ({"verdict": "unknown", "successes": 54}, None),
    ],
)
def test_a_share_is_accepted_only_within_its_level(share, changes, why):
    share["claims"][0].update(changes)
    if why is None:
        (claim,) = accepts(retied(share))
        assert claim.verdict == share["claims"][0]["verdict"]
    else:
        with pytest.raises(check.Refused, match=why):
            accepts(retied(share))


def bounded(seconds, data, budget=None):
    started = time.monotonic()
    with pytest.raises(check.Refused) as refusal:
        check.check_data(data, (), budget or check.Budget(seconds=1))
    assert time.monotonic() - started < seconds
    return str(refusal.value)


def test_an_honest_share_over_ten_thousand_images_is_checked_at_once(share):
    share["claims"][0].update({"share": "19/20", "successes": 9600, "trials": 10_000})
    started = time.monotonic()
    assert accepts(retied(share))
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "changes",
    [
        {"share": "19/20", "successes": 960_000, "trials": 1_000_000},
        {"share": f"{10**1899 - 3}/{10**1899}", "successes": 9_999, "trials": 20_000},
        {"share": f"{10**1899 - 3}/{10**1899}", "successes": 100_000, "trials": 1_000_000},
    ],
)
def test_a_share_of_a_million_images_or_of_a_long_fraction_ends(share, changes):
    share["claims"][0].update(changes)
    said = bounded(30, sealed(retied(share)))
    assert "--seconds" in said or "too long" in said


def test_a_fraction_of_1900_digits_is_rounded_against_the_claim(share):
    long = {"share": f"{19 * 10**1898 + 1}/{2 * 10**1899}", "successes": 9_700, "trials": 10_000}
    share["claims"][0].update(long)
    started = time.process_time()
    assert accepts(retied(share))
    assert time.process_time() - started < 30
    share["claims"][0].update(long | {"successes": 9_300, "verdict": "violated"})
    assert accepts(retied(share))
    share["claims"][0].update(long | {"successes": 9_500, "verdict": "violated"})
    assert "too long" in bounded(30, sealed(retied(share)))


def test_a_formula_of_sixty_nodes_that_opens_into_exponentially_many_literals_ends(good):
    claim = next(c for c in good["claims"] if c["verdict"] == "holds")
    table = [["predict", 0], *[["and", k, k] for k in range(58)], ["not", 58]]
    good = good | {"claims": [claim | {"formula": table}]}
    assert "literals" in bounded(60, sealed(retied(good)), check.Budget())


def test_a_formula_of_sixty_nodes_is_evaluated_at_a_witness_node_by_node(good):
    claim = next(c for c in good["claims"] if c["verdict"] == "violated")
    table = [*claim["formula"], *[["iff", k, k] for k in range(len(claim["formula"]) - 1, len(claim["formula"]) + 58)]]
    good = good | {"claims": [claim | {"formula": table}]}
    assert "true at the witness" in bounded(30, sealed(retied(good)))


def test_a_proof_that_only_opens_and_halves_ends(good):
    claim = next(c for c in good["claims"] if c["verdict"] == "holds")
    good = good | {"claims": [claim | {"proof": [["halve", 0]] * 400_000}]}
    assert "--seconds" in bounded(30, sealed(retied(good)))


def test_time_and_memory_are_the_callers_choice(good):
    assert "--megabytes" in bounded(30, sealed(good), check.Budget(megabytes=0))
    assert check.main(["--seconds", "0", "x"]) == 2


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin", "."])
def test_a_device_a_pipe_or_a_folder_is_refused_unread(path, tmp_path):
    with pytest.raises(check.Refused, match=r"regular file|not readable"):
        check.check_file(path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(check.Refused, match="regular file"):
        check.check_file(pipe)


def test_what_is_claimed_is_printed_in_plain_characters(good, tmp_path, capsys):
    names = good["names"] | {"classes": ["tr\u0430ck\x1b[2J", *good["names"]["classes"][1:]]}
    known = good | {"names": names, "digests": dict(good["digests"])}
    with pytest.raises(check.Refused, match="head, or a class's name"):
        accepts(retied(known))
    path = tmp_path / "c.json"
    path.write_bytes(sealed(good))
    assert check.main([str(path)]) == 0
    said = capsys.readouterr().out
    assert "for all x in the" in said
    assert "size" in said
    assert "coverage not said" in said
    assert "not compared" in said
    assert check.shown("tr\u0430ck\x1b[2J") == "tr\\u0430ck\\x1b[2J"


FORGERIES = {
    "no claims at all": lambda body: body["claims"].clear(),
    "a claim twice": lambda body: body["claims"].append(body["claims"][0]),
    "one name holding and violated": lambda body: body["claims"].append(
        next(c for c in body["claims"] if c["verdict"] != body["claims"][0]["verdict"])
        | {"name": body["claims"][0]["name"]}
    ),
    "an unreachable node": lambda body: body["claims"][0]["formula"].insert(0, ["predict", 0]),
    "a lowered threshold": lambda body: body["thresholds"].update({body["names"]["concepts"][0]: "-99"}),
    "class names exchanged": lambda body: body["names"]["classes"].reverse(),
    "a class renamed": lambda body: body["names"]["classes"].__setitem__(0, "another"),
    "a concept in look-alike letters": lambda body: body["names"]["concepts"].__setitem__(0, "k\u0030\u200b"),
    "a claim with more to say": lambda body: body["claims"][0].update({"note": "trust me"}),
    "a witness of another number": lambda body: body["claims"][0].update({"witness": -1}),
}


@pytest.mark.parametrize("how", FORGERIES)
def test_every_forgery_that_the_certificate_itself_can_show_is_refused_though_sealed_again(good, how):
    body = json.loads(json.dumps(good))
    FORGERIES[how](body)
    with pytest.raises(check.Refused):
        accepts(retied(body))


def test_another_head_of_the_same_study_text_is_refused(good):
    with pytest.raises(check.Refused, match="only head and lens"):
        check.check_data(sealed(good | {"study": {"model": "0" * 64}}), [("model", "0" * 64)])

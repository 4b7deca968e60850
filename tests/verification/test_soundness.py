"""A small run of `conspect bench soundness`: no wrong verdict, no refused certificate, no accepted mutation."""

from conspect.bench.random_properties import batches
from conspect.bench.soundness import KINDS, certificate_of, run
from conspect.checker import check
from conspect.verification.certificates.writing import sealed


def test_no_verdict_is_wrong_and_the_checker_accepts_exactly_the_good_certificates():
    found = run(240, 300, seed=7)
    assert found["properties"] >= 240
    assert found["bad"] == []
    assert found["wrong_verdicts"] == 0
    assert found["certificates_refused"] == 0
    assert found["mutated"] == 300
    assert found["mutated_accepted"] == 0
    assert found["unknown_share_linear"] < 0.01
    for kind in KINDS:
        assert found["counts"][kind] > 0, kind
    assert found["counts"]["end"] > 0


def test_the_run_finds_a_verifier_that_lies(monkeypatch):
    from conspect.core.verdicts import VIOLATED
    from conspect.verification.engine import prover as prove

    def careless(self, task):
        return prove.Outcome(VIOLATED)

    monkeypatch.setattr(prove.Prover, "conclude", careless)
    monkeypatch.setattr("conspect.bench.soundness.ENDS", 1000)
    assert run(60, 0, seed=1)["wrong_verdicts"] > 0


def test_what_is_opened_below_a_split_keeps_the_split():
    """Seed 5 has a ReLU property whose disjunctions open below assumed signs; its certificate must say the same."""
    subject_cases = [(s, c) for s, c in batches(300, 5, relu=True) if any(case.job.name == "p210" for case in c)]
    ((subject, cases),) = subject_cases
    (case,) = [case for case in cases if case.job.name == "p210"]
    claims = check.check_data(sealed(certificate_of(subject, [case])))
    assert [(claim.name, claim.verdict) for claim in claims] == [("p210", "holds")]

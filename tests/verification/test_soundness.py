"""A small run of `conspect bench soundness`: no wrong verdict, no refused certificate, no accepted mutation."""

import json
import random

import numpy as np

from conspect.bench.forging.mutations import mutated
from conspect.bench.forging.mutations_near import NEAR
from conspect.bench.oracles.neighbourhoods import Polyhedra
from conspect.bench.soundness import KINDS, NEW_KINDS, OPTIONS, figures, part, rows_of, run
from conspect.bench.soundness_near import around_images
from conspect.bench.tally import Tally
from conspect.bench.workloads.random_properties import batches, near_obligations, subject_with_changes
from conspect.checker import check
from conspect.verification.certificates.writing import bundle, sealed
from conspect.verification.neighbourhoods.claims import NeighbourhoodClaim
from conspect.verification.neighbourhoods.proving import NeighbourhoodProver
from conspect.verification.verify import Verification
from tests.verification.batches import certificate_of


def test_no_verdict_is_wrong_and_the_checker_accepts_exactly_the_good_certificates():
    figures = run(120, 200, seed=7)
    assert figures["properties"] >= 120
    assert figures["bad"] == []
    assert figures["wrong_verdicts"] == 0
    assert figures["certificates_refused"] == 0
    assert figures["mutated"] == 200
    assert figures["mutated_accepted"] == 0
    assert figures["unknown_share_linear"] < 0.01
    for kind in KINDS:
        assert figures["counts"][kind] > 0, kind
    assert figures["counts"]["end"] > 0
    assert figures["counts"]["near image"] > figures["counts"]["near"]
    assert figures["counts"]["with a lead"] > 0
    assert figures["mutated_new"] == sum(figures["counts"][f"{kind} mutated"] for kind in NEW_KINDS) == 100


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


def test_parts_with_seeds_of_their_own_add_up_to_a_run():
    parts = [part(20, 20, seed) for seed in (0, 1)]
    summed, first, second = (
        {row["what"]: row["value"] or 0.0 for row in rows_of({**figures(tally), "seconds": 1.0}, 20, 20)}
        for tally in (sum(parts, Tally()), *parts)
    )
    for what in ("random properties", "wrong verdicts", "mutated certificates", "near: properties compared"):
        assert summed[what] == first[what] + second[what], what
    assert summed["random properties"] >= 40


def test_a_prover_of_neighbourhoods_that_lies_is_found(monkeypatch):
    def careless(self, literals, multipliers, images, radius):
        return np.ones(len(images), dtype=bool)

    honest = Tally()
    around_images(np.random.default_rng(2), 10, OPTIONS, honest)
    assert honest.counts["wrong"] == 0
    assert honest.counts["near image violated"] > 0
    monkeypatch.setattr(NeighbourhoodProver, "closes", careless)
    lying = Tally()
    around_images(np.random.default_rng(2), 10, OPTIONS, lying)
    assert lying.counts["wrong"] > 0


def test_a_checker_that_counts_too_much_accepts_what_was_altered(monkeypatch):
    """The alterations are worth something: a checker that believes every proof around an image lets them pass."""
    subject, claims = around_images(np.random.default_rng(2), 10, OPTIONS, Tally())
    body = json.loads(sealed(bundle(subject, claims)))
    altered = [(how, data) for how, data in mutated(body, 120, random.Random(0)) if how in NEAR]
    assert len({how for how, _ in altered}) > 10

    def accepted() -> set[str]:
        names = set()
        for how, data in altered:
            try:
                check.check_data(data)
            except check.Refused:
                continue
            names.add(how)
        return names

    assert accepted() == set()
    monkeypatch.setattr(check.Near, "proved", lambda self, *_: (1 << self.images) - 1)
    assert {"no multipliers at all", "neighbourhoods blown up"} <= accepted()


def test_the_independent_decision_of_neighbourhoods_agrees_with_what_points_say():
    """Where it says that a formula is true around an image no sampled readouts deny it; where not, some point does."""
    generator = np.random.default_rng(4)
    subject = subject_with_changes(generator, 30)
    verification = Verification(subject, OPTIONS)
    denied = 0
    for job in near_obligations(generator, subject, 12):
        (result,) = verification.run([job])
        claim = result.claim
        assert isinstance(claim, NeighbourhoodClaim)
        if claim.reads.has_length or claim.reads.class_index is None:
            continue
        polyhedra = Polyhedra(subject, claim.reads, claim.factor, claim.radius)
        branches = polyhedra.branches(job.formula, wanted=False)
        directions = generator.normal(size=(4000, len(claim.factor)))
        directions /= np.linalg.norm(directions, axis=1)[:, None]
        for centre, true in zip(
            claim.centres.floats, polyhedra.true_around(job.formula, claim.centres.floats), strict=True
        ):
            points = centre + float(claim.radius) * directions @ claim.factor.T
            inside = [
                np.all(
                    [points @ np.asarray(literal.slope, float) + float(literal.constant) > 1e-9 for literal in branch],
                    axis=0,
                )
                for branch in branches
            ]
            assert not (true and np.any(inside))
            denied += bool(np.any(inside))
            assert true is False or not np.any(inside)
    assert denied > 0

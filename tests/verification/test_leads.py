"""Leads are compared with the logits themselves, wherever a formula is replayed exactly."""

from fractions import Fraction

import numpy as np
import pytest

from conspect.bench.workloads.random_properties import make_job
from conspect.core.regions import Box, Ellipsoid
from conspect.core.spaces import AffineMap, Head
from conspect.language.syntax.tree import Implies, Not, Predict, Stronger
from conspect.verification.engine.decider import Decider
from conspect.verification.queries.model import VerifyOptions
from tests.verification.subjects import plane

# Logits are +-z0 / 64, so east leads by z0 / 32: from 1/64 to 3/64 over the unit box around (1, 0) of size 1/2.
LINEAR = Head.linear(np.array([[1.0, 0.0], [-1.0, 0.0]]) / 64, np.zeros(2))
SIGNS = np.array([[1.0, -1.0], [-1.0, 1.0]])
RELU = Head((AffineMap(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.zeros(2)), AffineMap(SIGNS / 64, np.zeros(2))))
BOX = Box(np.array([1.0, 0.0]), np.ones(2), Fraction(1, 2))
BALL = Ellipsoid(np.array([1.0, 0.0]), np.eye(2), Fraction(1, 2))


def verdict(formula, region, lead, head=LINEAR):
    subject = plane(head=head)
    decider = Decider(subject, VerifyOptions(search_gamma=False), leads=(lead,))
    (answer,) = decider.decide([(make_job(subject, formula, "p"), region)])
    return answer.outcome.verdict


@pytest.mark.parametrize("region", [BOX, BALL], ids=["box", "ball"])
@pytest.mark.parametrize("head", [LINEAR, RELU], ids=["linear", "relu"])
@pytest.mark.parametrize(
    ("lead", "always", "sometimes"),
    [
        (Fraction(1, 128), True, True),
        (Fraction(1, 32), False, True),
        (Fraction(1, 16), False, False),
        (Fraction(9), False, False),
    ],
)
def test_a_lead_holds_where_the_smallest_difference_of_logits_has_it(region, head, lead, always, sometimes):
    east = Predict("east", lead)
    assert verdict(east, region, lead, head).outcome == ("holds" if always else "violated")
    assert verdict(Not(east), region, lead, head).outcome == ("violated" if sometimes else "holds")


def test_a_premise_with_a_lead_is_not_taken_for_met_by_a_smaller_one():
    formula = Implies(Predict("east", Fraction(1, 16)), Stronger("up", "right"))
    assert verdict(formula, BOX, Fraction(1, 16)).outcome == "holds"

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from conspect.analysis.localization import Culprit, Localization, localize, summarise
from conspect.statistics.intervals import wilson

TRUE, WRONG = 1, 0


@pytest.mark.parametrize(
    ("on_image", "on_mapped", "refitted", "by_vlm", "by_refitted_head"),
    [
        (TRUE, TRUE, TRUE, Culprit.HEAD, Culprit.HEAD),
        (TRUE, TRUE, WRONG, Culprit.HEAD, Culprit.ENCODER),
        (TRUE, WRONG, TRUE, Culprit.ENCODER, Culprit.HEAD),
        (TRUE, WRONG, WRONG, Culprit.ENCODER, Culprit.ENCODER),
        (WRONG, TRUE, TRUE, Culprit.UNDECIDED, Culprit.HEAD),
        (WRONG, TRUE, WRONG, Culprit.UNDECIDED, Culprit.ENCODER),
        (WRONG, WRONG, TRUE, Culprit.UNDECIDED, Culprit.HEAD),
        (WRONG, WRONG, WRONG, Culprit.UNDECIDED, Culprit.ENCODER),
    ],
)
def test_the_truth_table_of_both_oracles(on_image, on_mapped, refitted, by_vlm, by_refitted_head) -> None:
    # The middle image is the misclassified one.
    labels, outputs = np.array([0, TRUE, 2]), np.array([0, 2, 2])
    (verdict,) = localize(
        labels,
        outputs,
        vlm_on_image=np.array([9, on_image, 9]),
        vlm_on_mapped=np.array([9, on_mapped, 9]),
        refitted=np.array([9, refitted, 9]),
    )
    assert verdict == Localization(1, TRUE, 2, by_vlm, by_refitted_head)


def verdicts(*pairs: tuple[Culprit, Culprit]) -> list[Localization]:
    return [Localization(row, 0, 1, *pair) for row, pair in enumerate(pairs)]


H, E, U = Culprit.HEAD, Culprit.ENCODER, Culprit.UNDECIDED
MIXED = verdicts((H, H), (H, H), (H, E), (E, E), (E, E), (E, H), (E, E), (U, H), (U, E), (U, E))


def test_counts_and_cross_table_by_hand() -> None:
    summary = summarise(MIXED)
    assert summary.failures == 10
    assert summary.by_vlm == {"head": 3, "encoder": 4, "undecided": 3}
    assert summary.by_refitted_head == {"head": 4, "encoder": 6}
    assert summary.cross_table == {
        "head": {"head": 2, "encoder": 1},
        "encoder": {"head": 1, "encoder": 3},
        "undecided": {"head": 1, "encoder": 2},
    }


def test_agreement_is_over_the_failures_that_the_vlm_decides() -> None:
    summary = summarise(MIXED)
    assert summary.oracle_agreement == 5 / 7
    assert summary.oracle_agreement_interval == tuple(float(v) for v in wilson(5, 7))
    decided = [verdict for verdict in MIXED if verdict.by_vlm is not U]
    kappa = cohen_kappa_score(
        [verdict.by_vlm for verdict in decided], [verdict.by_refitted_head for verdict in decided]
    )
    assert summary.kappa == pytest.approx(kappa)


def test_nothing_decided_gives_no_agreement_and_one_sided_verdicts_no_kappa() -> None:
    nothing = summarise(verdicts((U, H), (U, E)))
    assert (nothing.oracle_agreement, nothing.oracle_agreement_interval, nothing.kappa) == (None, None, None)
    unanimous = summarise(verdicts((H, H), (H, H)))
    assert (unanimous.oracle_agreement, unanimous.kappa) == (1, None)
    assert summarise([]).by_vlm == {"head": 0, "encoder": 0, "undecided": 0}

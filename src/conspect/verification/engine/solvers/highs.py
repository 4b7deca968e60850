"""HiGHS (highspy): linear programs in the form maximise t over a box."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import outside_error
from conspect.core.spaces import Float64
from conspect.verification.engine.solvers.status import Status, translated

STATUSES: dict[str, Status] = {
    "HighsModelStatus.kOptimal": "optimal",
    "HighsModelStatus.kInfeasible": "infeasible",
    "HighsModelStatus.kUnbounded": "unbounded",
}
LOWER, BASIC, UPPER = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Vertex:
    """Where HiGHS stopped: `places [D + 1]` (LOWER, BASIC or UPPER; the last is t), `active [L]`, values and duals.

    All of it is a hint about which constraints are tight; the exact solution is computed from it elsewhere.
    """

    status: Status
    places: NDArray[np.int64]
    active: NDArray[np.bool_]
    values: Float64
    multipliers: Float64


def maximise_smallest(
    slopes: Float64, offsets: Float64, counted: NDArray[np.bool_], low: Float64, high: Float64, *, seconds: float = 10.0
) -> Vertex:
    """max t with slopes x + offsets >= t (rows that are `counted`) or >= 0 (the others), low <= x <= high.

    `slopes [L, D]`, float64. VERIFY008 when highspy is not installed.
    """
    highspy = _highspy()
    count, dimension = slopes.shape
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("time_limit", seconds)
    solver.setOptionValue("primal_feasibility_tolerance", 1e-10)
    solver.setOptionValue("dual_feasibility_tolerance", 1e-10)
    solver.setOptionValue("presolve", "off")
    solver.setOptionValue("solver", "simplex")
    program = highspy.HighsLp()
    program.num_col_ = dimension + 1
    program.num_row_ = count
    program.sense_ = highspy.ObjSense.kMaximize
    program.col_cost_ = np.append(np.zeros(dimension), 1.0)
    program.col_lower_ = np.append(low, -highspy.kHighsInf)
    program.col_upper_ = np.append(high, highspy.kHighsInf)
    program.row_lower_ = -offsets
    program.row_upper_ = np.full(count, highspy.kHighsInf)
    matrix = np.hstack([slopes, -counted[:, None].astype(np.float64)])
    program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    program.a_matrix_.start_ = np.arange(count + 1, dtype=np.int32) * (dimension + 1)
    program.a_matrix_.index_ = np.tile(np.arange(dimension + 1, dtype=np.int32), count)
    program.a_matrix_.value_ = matrix.ravel()
    solver.passModel(program)
    solver.run()
    status = translated(STATUSES, solver.getModelStatus())
    if status != "optimal":
        nothing = np.zeros(0)
        return Vertex(status, nothing.astype(np.int64), nothing.astype(bool), nothing, nothing)
    basis, solution = solver.getBasis(), solver.getSolution()
    kinds = highspy.HighsBasisStatus
    place = {kinds.kLower: LOWER, kinds.kBasic: BASIC, kinds.kUpper: UPPER}
    return Vertex(
        "optimal",
        np.array([place.get(kind, LOWER) for kind in basis.col_status], dtype=np.int64),
        np.array([kind != kinds.kBasic for kind in basis.row_status], dtype=bool),
        np.array(solution.col_value[:dimension]),
        np.maximum(-np.array(solution.row_dual), 0.0),
    )


def _highspy() -> Any:
    try:
        import highspy
    except ImportError:
        raise outside_error(
            "VERIFY008", "the solver HiGHS is not installed", "pip install 'conspect[verify]' (or highspy)"
        ) from None
    if not math.isinf(highspy.kHighsInf):
        raise AssertionError("highspy's infinity is not a float infinity")
    return highspy

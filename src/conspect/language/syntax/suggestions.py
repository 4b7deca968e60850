"""Did you mean: the closest known name, within a budget that keeps hostile files cheap."""

from __future__ import annotations

from collections.abc import Iterable


def distance(left: str, right: str, limit: int) -> int:
    """Edit distance (insert, delete, replace, swap of neighbours), or limit + 1 when it is larger."""
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        before, previous, row = row, before, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and b == left[i - 2]:
                cost = min(cost, previous[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return min(row[-1], limit + 1)


class Suggester:
    """Finds the closest of many names; stops comparing once its budget of comparisons is spent."""

    def __init__(self, budget: int = 20_000) -> None:
        self._budget = budget

    def closest(self, name: str, known: Iterable[str]) -> str | None:
        """The known name nearest to `name`, or None. About one slip per three letters is forgiven, at most three."""
        limit = min(3, max(1, len(name) // 3))
        best: tuple[int, str] | None = None
        folded = name.casefold().replace("_", "-")
        for candidate in known:
            if abs(len(candidate) - len(name)) > limit or candidate == name:
                continue
            if self._budget <= 0:
                break
            self._budget -= 1 + len(name) * len(candidate) // 400
            apart = distance(folded, candidate.casefold().replace("_", "-"), limit)
            if apart <= limit and (best is None or (apart, candidate) < best):
                best = (apart, candidate)
        return best[1] if best else None

    def hint(self, name: str, known: Iterable[str]) -> str:
        """', did you mean X?' or nothing."""
        closest = self.closest(name, known)
        return f", did you mean '{closest}'?" if closest else ""

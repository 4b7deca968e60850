"""The strengths that faults are planted at, kept in a file, so that a long collection goes on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from conspect.core.files import write_atomically
from conspect.faults.planting.severity import Severity, severities


class Strengths:
    """Searched for once for each kind of fault and drop in accuracy. `path`: a file to keep them in; None: in memory alone."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.known: dict[str, list[float]] = {}
        if path is not None and path.is_file():
            self.known = json.loads(path.read_text(encoding="utf-8"))

    def severity(self, kind: str, drop_at: Callable[[float], float], wanted: float) -> Severity:
        """The strength of this kind whose drop, by `drop_at`, is closest to the wanted one."""
        key = f"{kind} at {wanted:g}"
        if key not in self.known:
            sought = severities(drop_at, (wanted,))[0]
            self.known[key] = [sought.strength, sought.drop, float(sought.reached)]
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(self.path, json.dumps(self.known, indent=1).encode())
        strength, drop, reached = self.known[key]
        return Severity(wanted, strength, drop, bool(reached))

"""What a monitor's thresholds must keep, and what of it was certified."""

from __future__ import annotations

from dataclasses import dataclass

from conspect.core.percentages import level


@dataclass(frozen=True, slots=True)
class TargetRates:
    """What the thresholds must keep. Shares of inputs like those of the calibration split.

    `false_alarms`: share of the right outputs that are suspect. `accepted_errors`: share of the accepted whose output is
    wrong. Each holds with `confidence` over calibration splits. `errors_of_all`: share of all inputs that are accepted
    and wrong, in expectation over calibration splits (None: not asked).
    """

    false_alarms: float = 0.05
    accepted_errors: float = 0.05
    confidence: float = 0.95
    errors_of_all: float | None = None


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What was certified, and on how many calibration inputs. `accepts` is False when no threshold could be certified.

    `needed`: then about so many calibration inputs would certify one, if they are like these; None where none would.
    """

    wanted: TargetRates
    images: int
    wrong: int
    accepts: bool
    needed: int | None = None

    def sentences(self) -> list[str]:
        """The guarantees in words, each with its assumption."""
        wanted, like = self.wanted, "for inputs like those of the calibration split"
        sure = f"With confidence {level(wanted.confidence, '%')}, at most"
        lines = [f"{sure} {level(wanted.false_alarms, '%')} of the right outputs are called suspect, {like}."]
        if self.accepts:
            lines.append(f"{sure} {level(wanted.accepted_errors, '%')} of the accepted outputs are wrong, {like}.")
            if wanted.errors_of_all is not None:
                lines.append(
                    f"An input is accepted and wrong with probability at most {level(wanted.errors_of_all, '%')}, {like}."
                )
        else:
            lines.append(
                f"Nothing is accepted: {self.images} calibration inputs do not certify that at most "
                f"{level(wanted.accepted_errors, '%')} of the accepted are wrong. {self._advice()}"
            )
        return lines

    def _advice(self) -> str:
        if self.needed is None:
            return "More of them would not either: allow more accepted errors."
        return f"You need about {self.needed:,} of them, or allow more accepted errors."

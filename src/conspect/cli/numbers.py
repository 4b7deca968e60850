"""Numbers given on the command line."""

from __future__ import annotations

from math import isfinite

import click


class NumberRange(click.FloatRange):
    """A finite number in a range. Not-a-number is below and above nothing, so that click alone lets it through."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number. Raises click.BadParameter."""
        number = float(super().convert(value, param, ctx))
        if not isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number

"""One door per foreign library, imported only when used. What they would report to their makers is turned off first."""

from conspect.core.network import turn_reports_off

turn_reports_off()

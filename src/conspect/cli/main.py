"""The command line: parses, calls the study, prints. Results go to standard output, all else to standard error."""

from __future__ import annotations

import sys
import traceback

import click

from conspect import __version__
from conspect.cli.lazy import Commands, LazyGroup
from conspect.core.diagnostics import ConspectError

COMMANDS: Commands = {
    "bench": ("conspect.cli.bench", "bench", "Measure this installation against its targets."),
    "certificate": ("conspect.cli.certificate", "certificate", "Check certificates with exact arithmetic."),
    "demo": ("conspect.cli.study", "demo", "Debug a real classifier on real photographs."),
    "init": ("conspect.cli.study", "init", "Write a commented study.toml."),
    "monitor": ("conspect.cli.monitor", "monitor", "Watch a deployed model: say when not to believe it, and why."),
    "run": ("conspect.cli.study", "run", "Run a study: results.json and report.html."),
    "spec": ("conspect.cli.spec", "spec", "Check, format and explain Con_spec files."),
    "verify": ("conspect.cli.verify", "verify", "Prove or refute the properties of Con_spec files."),
}
INTERRUPTED, INTERNAL = 130, 70


@click.group(
    cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="conspect")
def main() -> None:
    """Understand, prove, debug and watch vision models, in words.

    Exit codes: 0 done (verify: all hold), 1 a property is violated or a target is missed, 2 the call, the study or the
    specification is wrong, 3 nothing violated but something unknown, 4 data, disk, network or a package failed, 70 a
    fault of Conspect itself, 130 interrupted.
    """


def run() -> None:
    """Entry point: turns Conspect's errors into diagnostics on standard error and an exit code."""
    try:
        main(standalone_mode=False)
    except click.exceptions.Abort:
        _stop("interrupted; what was finished is kept, the same call continues", INTERRUPTED)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ConspectError as error:
        _stop(str(error), error.exit_code)
    except KeyboardInterrupt:
        _stop("interrupted; what was finished is kept, the same call continues", INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception:
        traceback.print_exc()
        _stop("this is a fault of Conspect itself, not of your call; please report the lines above", INTERNAL)


def _stop(message: str, code: int) -> None:
    click.echo(message, err=True)
    sys.exit(code)


if __name__ == "__main__":
    run()

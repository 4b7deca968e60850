"""The command line: parses, calls the study, prints. Results go to standard output, all else to standard error."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from contextlib import suppress
from typing import NoReturn

import click

from conspect.cli.lazy import Commands, LazyGroup
from conspect.core.diagnostics import ConspectError
from conspect.core.terminal import guard_terminal
from conspect.core.version import VERSION

COMMANDS: Commands = {
    "bench": ("conspect.cli.bench", "bench", "Measure this installation against its targets."),
    "card": ("conspect.cli.card", "card", "Write a model card: what is known of the model, in words."),
    "certificate": ("conspect.cli.certificate", "certificate", "Check certificates with exact arithmetic."),
    "compare": ("conspect.cli.compare", "compare", "Say what changed between two studies."),
    "concepts": ("conspect.cli.concepts", "concepts", "Say which concepts of a study are seen."),
    "demo": ("conspect.cli.study", "demo", "Debug a real classifier on real photographs."),
    "doctor": ("conspect.cli.doctor", "doctor", "Find out what is broken: labels, input, encoder, head, or nothing."),
    "evidence": ("conspect.cli.card", "evidence", "Write an assurance case: claims, what shows them, and gaps."),
    "explain": ("conspect.cli.explain", "explain", "Say why the model said what it said of an image."),
    "explore": ("conspect.cli.explore", "explore", "Look at a study in the browser: ask, correct, prove."),
    "export": ("conspect.cli.export", "export", "Write a finished study for FiftyOne, as Parquet or as CSV."),
    "gate": ("conspect.cli.compare", "gate", "Let a study pass, or not, against a baseline."),
    "init": ("conspect.cli.study", "init", "Write a commented study.toml."),
    "language-server": ("conspect.cli.language_server", "language_server", "Serve Con_spec to an editor."),
    "localize": ("conspect.cli.localize", "localize", "Find the part of a model that broke since a sound version."),
    "log": ("conspect.cli.track", "log", "Log a finished study to a tracking server (MLflow)."),
    "monitor": ("conspect.cli.monitor", "monitor", "Watch a deployed model: say when not to believe it, and why."),
    "run": ("conspect.cli.study", "run", "Run a study: results.json and report.html."),
    "schema": ("conspect.cli.schema", "schema", "Print the JSON Schema of results.json or study.toml."),
    "spec": ("conspect.cli.spec", "spec", "Check, format and explain Con_spec files."),
    "verify": ("conspect.cli.verify", "verify", "Prove or refute the properties of Con_spec files."),
}
INTERNAL, OUTSIDE, INTERRUPTED, PIPE_CLOSED, TERMINATED = 70, 4, 130, 141, 143
# What the system refuses for reasons of its own, wherever it happens; any other OSError that escapes is a fault of Conspect.
REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE}


class Terminated(BaseException):
    """SIGTERM arrived."""


@click.group(
    cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(VERSION, prog_name="conspect")
def main() -> None:
    """Understand, prove, debug and watch vision models, in words.

    Exit codes: 0 done (verify: all hold; gate: pass), 1 a property is violated, a gate fails or a target is missed, 2 the
    call, the study or the specification is wrong, 3 nothing violated but something unknown (gate: investigate), 4 data,
    disk, network or a package failed, 70 a fault of Conspect itself, 130 interrupted, 141 nobody reads standard output
    any more, 143 terminated.
    """


def run() -> None:
    """Entry point: turns Conspect's errors into diagnostics on standard error and an exit code."""
    guard_terminal()
    try:
        _run()
    finally:
        _give_up_on_errors()


def _run() -> None:
    output = sys.stdout
    signal.signal(signal.SIGTERM, _terminate)
    try:
        main(standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where it can still be said, and not when the interpreter ends
    except (click.exceptions.Abort, KeyboardInterrupt):
        _stop("interrupted; what was finished is kept, the same call continues", INTERRUPTED)
    except Terminated:
        _stop("terminated; what was finished is kept, the same call continues", TERMINATED)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        sys.exit(error.exit_code)
    except ConspectError as error:
        _stop(str(error), error.exit_code)
    except SystemExit:
        if sys.stdout is not output:  # click has met a broken pipe, put a wrapper there, and would leave with 1
            _leave_quietly()
        raise
    except BrokenPipeError:
        _leave_quietly()
    except OSError as error:
        if error.errno not in REFUSALS:
            _fault()
        _forget_output()
        _stop(f"the system refused: {error.strerror}; free space or files there, and call again", OUTSIDE)
    except Exception:
        _fault()


def _terminate(_number: int, _frame: object) -> None:
    """From now on the main thread winds down as after Ctrl-C; a second signal ends it at once."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated


def _leave_quietly() -> NoReturn:
    """The reader of standard output has gone (`| head`): not a word. 0 would claim that all was said."""
    _forget_output()
    sys.exit(PIPE_CLOSED)


def _forget_output() -> None:
    """What is still buffered goes nowhere: it would fail again when the interpreter ends, with exit code 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _give_up_on_errors() -> None:
    """Where standard error is full, its message is lost; the exit code is not, which 120 of the interpreter's end would be."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _fault() -> NoReturn:
    with suppress(OSError):
        traceback.print_exc()
    _stop("this is a fault of Conspect itself, not of your call; please report the lines above", INTERNAL)


def _stop(message: str, code: int) -> NoReturn:
    with suppress(OSError):  # standard error may be gone as well
        click.echo(message, err=True)
    sys.exit(code)


if __name__ == "__main__":
    run()

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
from conspect.core.diagnostics import ConspectError, outside_error
from conspect.core.installing import as_installed
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
    "fingerprint": ("conspect.cli.fingerprint", "fingerprint", "Take a sound model's fingerprint; compare with one."),
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
# Commands that compute, and the address space below which they cannot.
HEAVY = {
    "bench", "concepts", "demo", "doctor", "explain", "explore", "export", "localize", "monitor", "run", "verify",
}  # fmt: skip
LEAST_ADDRESS_SPACE = 2 << 30
INTERNAL, OUTSIDE, INTERRUPTED, PIPE_CLOSED, TERMINATED = 70, 4, 130, 141, 143
# What the system refuses for reasons of its own, wherever it happens; any other OSError that escapes is a fault of Conspect.
REFUSALS = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG,
    errno.ELOOP, errno.ENOMEM, errno.EAGAIN,
}  # fmt: skip
# What libraries say that could not be loaded or could not start threads for want of memory.
NO_MEMORY = ("cannot allocate memory", "failed to map segment", "memory allocation", "not enough memory", "out of memory",
    "bad_alloc", "can't start new thread", "resource temporarily unavailable",
)  # fmt: skip


class Terminated(BaseException):
    """SIGTERM arrived."""


@click.group(
    cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(VERSION, prog_name="conspect")
def main() -> None:
    """Understand, prove, debug and watch vision models, in words.

    Exit codes: 0 done (verify: all hold; gate: pass), 1 a property is violated, a gate fails or a target is missed, 2 the
    call, the study or the specification is wrong, or you did not agree, 3 nothing violated but something unknown (gate:
    investigate), 4 data, disk, network or a package failed, 70 a fault of Conspect itself, 130 interrupted, 141 nobody
    reads standard output any more, 143 terminated.
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
        _require_address_space()
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
    except Exception as error:
        _failed(error)


def _failed(error: Exception) -> NoReturn:
    """What escaped is the system's refusal or want of memory, or else a fault of Conspect."""
    if isinstance(error, OSError) and error.errno in REFUSALS:
        _forget_output()
        place = f" ({str(error.filename)[:200]})" if error.filename else ""
        _stop(f"the system refused: {error.strerror}{place}; free space or files there, and call again", OUTSIDE)
    if _is_of_memory(error):
        _stop("there is not enough memory; give the process more (ulimit -v, --memory), and call again", OUTSIDE)
    _fault()


def _is_of_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in NO_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


def _require_address_space() -> None:
    """Raises OutsideError CLI003 where the system allows less than any analysis needs.

    Libraries of linear algebra wait without end, or take the process down, when their memory is refused.
    """
    if sys.argv[1:2] and sys.argv[1] in HEAVY and not {"-h", "--help"} & set(sys.argv):
        try:
            import resource
        except ImportError:  # Windows has no such limit
            return
        allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
        if 0 <= allowed < LEAST_ADDRESS_SPACE:
            problem = (
                f"this process may use {allowed >> 20:,} MB of address space; {LEAST_ADDRESS_SPACE >> 20:,} are needed"
            )
            raise outside_error("CLI003", problem, "raise the limit (ulimit -v unlimited) and call again")


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
        click.echo(as_installed(message), err=True)
    sys.exit(code)


if __name__ == "__main__":
    run()

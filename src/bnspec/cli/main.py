"""The command: its subcommands, and what becomes of what goes wrong.

Progress goes to stderr, data to stdout. Exit status: 0 all right, 1 a finding, 2 could not do it (with the reason,
and what to type). What is not needed to start the workers is imported after they have started.
"""

import contextlib
import os
import sys
import traceback
from typing import NoReturn

import click

from bnspec.cli.diff import diff_command
from bnspec.cli.explain import explain_command
from bnspec.cli.look import environments_command, report_command, show_command
from bnspec.cli.port import port_command
from bnspec.cli.run import run_command
from bnspec.cli.selftest import selftest_command
from bnspec.cli.shared import CannotDo
from bnspec.cli.upgrade import upgrade_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bnspec")
def app() -> None:
    """How any batch normalization behaves, with numbers, and whether that is right."""


for command in (
    run_command, report_command, diff_command, upgrade_command, port_command,
    explain_command, show_command, environments_command, selftest_command,
):  # fmt: skip
    app.add_command(command)


def main() -> None:
    """Run the command; what cannot be done is one clear line and exit status 2."""
    from bnspec.environments import EnvironmentProblem
    from bnspec.results import ResultsError
    from bnspec.spec import SuiteError

    try:
        # Not app(), which has an exit status 1 of its own for an interruption and for a closed pipe.
        with app.make_context("bnspec", sys.argv[1:]) as context:
            app.invoke(context)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.exceptions.NoArgsIsHelpError as help_wanted:
        help_wanted.show()
        sys.exit(2)
    except click.UsageError as problem:
        command = problem.ctx.command_path if problem.ctx else "bnspec"
        cannot_do(f"{problem.format_message()} See {command} --help.")
    except (CannotDo, EnvironmentProblem, ResultsError, SuiteError) as problem:
        cannot_do(str(problem))
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain when it closes stdout.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(2)
    except OSError as error:
        cannot_do(f"{error.filename or 'a file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        cannot_do("interrupted")
    except Exception as fault:
        # Python's own exit status for it is 1, which means a finding.
        traceback.print_exc()
        cannot_do(f"the lines above are a fault of bnspec ({type(fault).__name__}); please report them")


def cannot_do(problem: str) -> NoReturn:
    """Say in one line, safe for a terminal, why it cannot be done, and exit."""
    from bnspec.results import one_line

    print(f"bnspec: {one_line(problem)}", file=sys.stderr)
    sys.exit(2)

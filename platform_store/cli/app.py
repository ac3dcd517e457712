"""The application: options that every command takes, before or after its name, exit codes, and errors in one line."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from platform_store.cli.output import Format, Output
from platform_store.cli.stores import Settings
from platform_store.config import Config
from platform_store.errors import PlatformStoreError, Unavailable
from platform_store.facade import Platform

FAILED, PROBLEMS, INTERRUPTED = 1, 3, 130
_EPILOG = """\
Exit codes: 0 done; 1 an error, told in one line on stderr; 2 wrong usage; 3 a store cannot be reached, doctor found
problems, verify differences, or an import bad rows; 130 interrupted.

Which stores: the options, else the environment (PLATFORM_STORE_CONFIG, else PLATFORM_STORE_MYSQL_URL and
PLATFORM_STORE_MONGODB_URL), else config/platform.yaml. URLs: mysql://user:password@host:port/database and
mongodb://user:password@host:port/database?replicaSet=name.

Formats: json is one JSON object a line, one line a row; csv is RFC 4180 with a header. DECIMAL and TIME are text in
both, binary values hexadecimal, dates ISO 8601. In CSV, NULL is an empty field.
"""

app = typer.Typer(
    name="platform-store",
    help="One logical row across MySQL and MongoDB.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


@dataclass(frozen=True)
class Session:
    """What every command gets: where the data is, and where its answer goes."""

    settings: Settings
    output: Output

    def open(self) -> Platform:
        """Opens the stores that the options, the environment or the usual file name."""
        return opened(self.settings.config_or_default())


def opened(config: Config) -> Platform:
    """Opens the stores of a configuration. Where one cannot be reached, the error says where it was looked for."""
    try:
        return Platform.open(config)
    except Unavailable as error:
        error.add_note(f"the stores are {config.describe()}")
        raise


def _shared(
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Configuration file.")] = None,
    mysql: Annotated[str | None, typer.Option(metavar="URL", help="The MySQL database.")] = None,
    mongodb: Annotated[str | None, typer.Option(metavar="URL", help="The MongoDB database.")] = None,
    embedded: Annotated[Path | None, typer.Option(metavar="FILE", help="The embedded pair: one SQLite file.")] = None,
    output_format: Annotated[
        Format | None, typer.Option("--format", help="How to print the answer (default: table).")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """The options that every command takes."""


_SHARED_HINTS = get_type_hints(_shared, include_extras=True)
_SHARED = [p.replace(annotation=_SHARED_HINTS[n]) for n, p in inspect.signature(_shared).parameters.items()]
_CONTEXT = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Makes a command of ``function(session, ...)``: adds the shared options and reports errors."""
    hints = get_type_hints(function, include_extras=True)
    own = [p.replace(annotation=hints[n]) for n, p in inspect.signature(function).parameters.items() if n != "session"]

    @wraps(function)
    def run(ctx: typer.Context, **given: Any) -> None:
        settings = _settings(given).over(ctx.obj)
        with _reported(settings.debug):
            function(Session(settings, Output(settings.output_format or Format.TABLE)), **given)

    _sign(run, [_CONTEXT, *own, *_SHARED])
    app.command()(run)
    return function


def _remember(ctx: typer.Context, **given: Any) -> None:
    """One logical row across MySQL and MongoDB."""
    ctx.obj = _settings(given)


def _settings(given: dict[str, Any]) -> Settings:
    """Takes the shared options out of what was given."""
    return Settings(**{parameter.name: given.pop(parameter.name) for parameter in _SHARED})


def _sign(function: Callable[..., None], parameters: list[inspect.Parameter]) -> None:
    """Shows Typer these parameters in place of those the function was written with."""
    ordered = sorted(parameters, key=lambda parameter: parameter.default is not inspect.Parameter.empty)
    vars(function)["__signature__"] = inspect.Signature(ordered)
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in ordered}


_sign(_remember, [_CONTEXT, *_SHARED])
app.callback()(_remember)


@contextmanager
def _reported(debug: bool) -> Iterator[None]:
    """Turns an error of the library into one line and an exit code."""
    try:
        yield
        sys.stdout.flush()
    except PlatformStoreError as error:
        if debug:
            traceback.print_exc()
        notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
        typer.echo(f"error: {error}{notes}", err=True)
        raise typer.Exit(PROBLEMS if isinstance(error, Unavailable) else FAILED) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter's last flush complains
        raise typer.Exit(FAILED) from None

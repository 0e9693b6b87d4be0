"""The subcommands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import ocr_client
from ocr_client.client import Client
from ocr_client.command import ending, inputs, options, settings, standard_input
from ocr_client.command.handing_in import fetch as fetch_results
from ocr_client.command.handing_in import hand_in, show
from ocr_client.command.names import STDIN
from ocr_client.command.outputs import say_to_stdout
from ocr_client.command.reading import Plan, read_all
from ocr_client.command.report import Report
from ocr_client.command.stopping import Exit, Stop
from ocr_client.command.tally import Tally
from ocr_client.command.watching import Watch
from ocr_client.options import SUFFIXES, Format

_EXITS = (
    "Exit codes: 0 all files were read, 1 some failed or have failed pages, 2 wrong usage, 3 no server, "
    "4 wrong API key, 5 the output cannot be written, 130 interrupted."
)

app = typer.Typer(
    name="ocr",
    help="Read pictures and documents with the OCR service.",
    epilog="Settings: options, then OCR_URL, OCR_KEY and so on, then ~/.config/ocr/config.toml.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"ocr {ocr_client.__version__}\n")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(envvar="OCR_CONFIG", help="Configuration file, in place of the usual one.")
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    with ending.errors_end_it():
        found = settings.from_file(config)
    without_format = {name: value for name, value in found.items() if name != "format"}
    if "format" in found:
        found["form"] = found.pop("format")  # the parameter's name
    context.default_map = {
        "read": found, "watch": found,
        **dict.fromkeys(("jobs", "fetch", "cancel", "languages"), without_format),
    }  # fmt: skip


@app.command(epilog=_EXITS)
def read(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="Files, folders, patterns; - is standard input.")
    ],
    form: options.Form = "text",
    output: options.Output = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Skip files whose output is complete.", rich_help_panel="Output"),
    ] = False,
    job: Annotated[
        bool,
        typer.Option("--job", help="Hand the files in, and leave: `ocr fetch`.", rich_help_panel="Output"),
    ] = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    engine: options.Engine = None,
    languages: options.Languages = None,
    psm: options.Psm = None,
    pages: options.Pages = None,
    dpi: options.Dpi = None,
    orientation: options.Orientation = None,
    text_layer: options.TextLayer = None,
    password: options.Password = None,
    timeout: options.Timeout = None,
    url: options.Url = options.URL,
    key: options.Key = "",
    ca_file: options.CaFile = None,
    patience: options.Patience = options.PATIENCE,
    at_once: options.AtOnce = options.AT_ONCE,
) -> None:
    """Read files. The text of one file goes to standard output, that of several to files beside them."""
    wanted = options.reading(engine, languages, psm, pages, dpi, orientation, text_layer, password, timeout)
    plan = Plan(form, wanted, resume)
    connection = options.connection(url, key, ca_file, patience, at_once)
    with ending.errors_end_it():
        connection.check()
        to_files = as_json or job or not inputs.is_one_file(files)
        found = inputs.chosen(files, output, SUFFIXES[form], to_files=to_files)
        if any(file.path == STDIN for file in found):
            if to_files and output is None:
                raise Stop(Exit.USAGE, "Where does the output of standard input go? --output FOLDER says so.")
            standard_input.copy()
    tally = Tally(len(found))
    report = Report(tally, as_json=as_json, quiet=quiet, bar=to_files or output is not None)
    if not found:
        report.say("There is neither a picture nor a document there.", "yellow")
    if job:
        ids = not as_json
        ending.run(
            lambda: hand_in(found, plan, connection, report, prints_ids=ids), report, tally, resumable=False
        )
    ending.run(lambda: read_all(found, plan, connection, report), report, tally, resumable=to_files)


@app.command(epilog=_EXITS)
def watch(
    folder: Annotated[str, typer.Argument(help="Where files appear, also in folders below it.")],
    form: options.Form = "text",
    output: options.Output = None,
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between two looks.")] = 1.0,
    settle: Annotated[float, typer.Option(min=0, help="Seconds for which a complete file has not changed.")] = 2.0,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    engine: options.Engine = None,
    languages: options.Languages = None,
    psm: options.Psm = None,
    pages: options.Pages = None,
    dpi: options.Dpi = None,
    orientation: options.Orientation = None,
    text_layer: options.TextLayer = None,
    password: options.Password = None,
    timeout: options.Timeout = None,
    url: options.Url = options.URL,
    key: options.Key = "",
    ca_file: options.CaFile = None,
    at_once: options.AtOnce = options.AT_ONCE,
) -> None:
    """Read files as they appear in a folder, until Ctrl-C. It waits for a server that is gone."""
    wanted = options.reading(engine, languages, psm, pages, dpi, orientation, text_layer, password, timeout)
    connection = options.connection(url, key, ca_file, float("inf"), at_once)
    with ending.errors_end_it():
        connection.check()
    tally = Tally(None)
    report = Report(tally, as_json=as_json, quiet=quiet, bar=False, each=True)
    files = Watch(folder, output, SUFFIXES[form], interval=interval, settle=settle).files()
    ending.run(
        lambda: read_all(files, Plan(form, wanted, True), connection, report), report, tally, resumable=False
    )


@app.command()
def jobs(
    url: options.Url = options.URL,
    key: options.Key = "",
    ca_file: options.CaFile = None,
    patience: options.Patience = 5.0,
) -> None:
    """List the jobs that were handed in."""
    with ending.errors_end_it():
        connection = options.connection(url, key, ca_file, patience)
        connection.check()
        show(connection, Console(highlight=False, soft_wrap=True))
    ending.leave(Exit.ALL_READ)


@app.command()
def fetch(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID…]", help="Of jobs; without any, all that have ended.")
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", "-f", help="Another format than that of `ocr read`.")
    ] = None,
    output: options.Output = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until they have ended.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Remove them from the server afterwards.")] = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    url: options.Url = options.URL,
    key: options.Key = "",
    ca_file: options.CaFile = None,
    patience: options.Patience = options.PATIENCE,
) -> None:
    """Get the results of jobs: that of one goes to standard output, those of several beside their files."""
    tally = Tally(None)
    report = Report(tally, as_json=as_json, quiet=quiet, bar=False)
    with ending.errors_end_it():
        connection = options.connection(url, key, ca_file, patience)
        connection.check()
        left = fetch_results(
            connection, ids or [], report, form=form, folder=output, waits=wait, deletes=delete, as_json=as_json
        )
    if left:
        report.say(f"{left} have not ended. --wait waits for them.", "yellow")
    if tally.failures or len(ids or []) != 1:
        report.summary()
    ending.leave(Exit.SOME_FAILED if left and ids else tally.exit_code)


@app.command()
def cancel(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Of jobs.")],
    url: options.Url = options.URL,
    key: options.Key = "",
    ca_file: options.CaFile = None,
    patience: options.Patience = 5.0,
) -> None:
    """Cancel jobs that have not ended, and remove those that have."""
    with ending.errors_end_it():
        connection = options.connection(url, key, ca_file, patience)
        connection.check()
        with Client(**connection.arguments()) as client:
            for job_id in ids:
                client.delete(job_id)
    ending.leave(Exit.ALL_READ)


@app.command()
def languages(
    url: options.Url = options.URL,
    key: options.Key = "",
    ca_file: options.CaFile = None,
    patience: options.Patience = 5.0,
) -> None:
    """List the languages that the server reads, and with which engines."""
    with ending.errors_end_it():
        connection = options.connection(url, key, ca_file, patience)
        connection.check()
        with Client(**connection.arguments()) as client:
            offered = client.languages()
        for name in offered["languages"]:
            say_to_stdout(f"{name}  {', '.join(offered['engines_of'].get(name, []))}")
    ending.leave(Exit.ALL_READ)

"""The options of the subcommands, as typer takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ocr_client.command.settings import Connection
from ocr_client.options import Engine as EngineName
from ocr_client.options import Format, ReadOptions

_SERVER, _READING, _OUTPUT = "Server", "Reading", "Output"

Url = Annotated[str, typer.Option(envvar="OCR_URL", help="Address of the service.", rich_help_panel=_SERVER)]
Key = Annotated[
    str,
    typer.Option(
        envvar="OCR_KEY", help="API key. Others see options in the list of processes.", rich_help_panel=_SERVER
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option(
        envvar="OCR_CA_FILE", help="PEM file of the server's certificate authority.", rich_help_panel=_SERVER
    ),
]
Patience = Annotated[
    float,
    typer.Option(
        envvar="OCR_PATIENCE",
        min=0,
        help="Seconds to wait for a server that is gone or busy, such as one that restarts.",
        rich_help_panel=_SERVER,
    ),
]
AtOnce = Annotated[
    int,
    typer.Option(
        envvar="OCR_AT_ONCE",
        min=1,
        max=512,
        help="Most files at once; fewer if the server takes no more.",
        rich_help_panel=_SERVER,
    ),
]

Form = Annotated[
    Format, typer.Option("--format", "-f", envvar="OCR_FORMAT", help="Of the output.", rich_help_panel=_OUTPUT)
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="Write the outputs there, in the same subfolders; else beside each file.",
        rich_help_panel=_OUTPUT,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one line of JSON per file, for scripts.", rich_help_panel=_OUTPUT)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show only what failed.", rich_help_panel=_OUTPUT)]

Engine = Annotated[
    EngineName | None,
    typer.Option("--engine", "-e", envvar="OCR_ENGINE", help="What reads the pages.", rich_help_panel=_READING),
]
Languages = Annotated[
    str | None,
    typer.Option(
        "--languages",
        "-l",
        envvar="OCR_LANGUAGES",
        metavar="NAMES",
        help="Such as eng or deu,eng; auto finds them.",
        rich_help_panel=_READING,
    ),
]
Psm = Annotated[int | None, typer.Option(help="Tesseract's page segmentation mode.", rich_help_panel=_READING)]
Pages = Annotated[
    str | None, typer.Option(metavar="1-3,7", help="Pages of documents; all by default.", rich_help_panel=_READING)
]
Dpi = Annotated[int | None, typer.Option(help="At which pages of PDFs are drawn.", rich_help_panel=_READING)]
Orientation = Annotated[
    Literal["auto", "off"] | None, typer.Option(help="Whether pages are turned upright.", rich_help_panel=_READING)
]
TextLayer = Annotated[
    Literal["auto", "ignore"] | None,
    typer.Option(help="Whether the text that a PDF has is used.", rich_help_panel=_READING),
]
Password = Annotated[
    str | None,
    typer.Option(envvar="OCR_PASSWORD", help="Of encrypted PDFs.", rich_help_panel=_READING),
]
Timeout = Annotated[
    float | None, typer.Option(min=0.001, help="Most seconds for each file.", rich_help_panel=_READING)
]

URL, PATIENCE, AT_ONCE = "http://127.0.0.1:8001", 120.0, 32


def connection(url: str, key: str, ca_file: Path | None, patience: float, at_once: int = AT_ONCE) -> Connection:
    return Connection(url, key or None, ca_file, patience, at_once)


def reading(
    engine: EngineName | None,
    languages: str | None,
    psm: int | None,
    pages: str | None,
    dpi: int | None,
    orientation: Literal["auto", "off"] | None,
    text_layer: Literal["auto", "ignore"] | None,
    password: str | None,
    timeout: float | None,
) -> ReadOptions:
    """Failed pages do not keep the others from being written."""
    return {
        "engine": engine,
        "languages": languages,
        "psm": psm,
        "pages": pages,
        "dpi": dpi,
        "orientation": orientation,
        "text_layer": text_layer,
        "password": password,
        "timeout": timeout,
        "allow_partial": True,
    }

"""The command `ocr`."""

from __future__ import annotations

import io
import sys


def main() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names on terminals without UTF-8
    try:
        from ocr_client.command.app import app  # noqa: PLC0415 - the library's users do not need typer

        app()
    except KeyboardInterrupt:  # before there is anything to end in order
        sys.exit(130)


__all__ = ["main"]

"""The command `ocr`."""

from __future__ import annotations


def main() -> None:
    from ocr_client.command.app import app  # noqa: PLC0415 - the library's users do not need typer

    app()


__all__ = ["main"]

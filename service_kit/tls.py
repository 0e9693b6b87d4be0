"""TLS between the services: contexts made of PEM files, for the side that listens and for the side that calls."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from service_kit.followed import Unusable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service_kit.followed import Followed


class PemFile(NamedTuple):
    """A file, and the setting that names it."""

    setting: str
    path: Path | None


class TlsFiles(NamedTuple):
    """A side's own certificate and its key, and the authorities that may issue the other side's certificate."""

    certificate: PemFile
    key: PemFile
    authorities: PemFile

    @property
    def paths(self) -> Iterable[Path | None]:
        return [file.path for file in self]


def listening_context(files: TlsFiles) -> ssl.SSLContext:
    """With authorities, clients must have a certificate.

    Raises:
        Unusable.
    """
    context = _context(ssl.Purpose.CLIENT_AUTH, files)
    context.num_tickets = 0  # callers open a connection per call, and resume nothing
    if files.authorities.path:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def calling_context(files: TlsFiles) -> ssl.SSLContext:
    """Without authorities, those of the system.

    Raises:
        Unusable.
    """
    return _context(ssl.Purpose.SERVER_AUTH, files)


def renewed_context(followed: Followed[ssl.SSLContext]) -> ssl.SSLContext:
    """A context for a listener that uses the present files for each handshake.

    A listener keeps its context. The callback is called in every handshake, also without a server name. Replacing
    the context there, instead of loading files into it, keeps certificate, key and authorities together.
    """

    def use_the_present(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = followed.value

    context = followed.value
    context.sni_callback = use_the_present
    return context


def _context(purpose: ssl.Purpose, files: TlsFiles) -> ssl.SSLContext:
    certificate, key, authorities = files
    for file in files:
        _check_readable(file)
    if bool(certificate.path) != bool(key.path):
        raise Unusable(f"{certificate.setting} and {key.setting} need each other")
    try:
        context = ssl.create_default_context(purpose, cafile=authorities.path)
    except OSError:
        raise Unusable(f"{authorities.setting} contains no certificate in PEM format") from None
    if certificate.path and key.path:
        try:
            context.load_cert_chain(certificate.path, key.path, password="")  # or it would ask on the terminal
        except OSError as error:
            if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
                raise Unusable(f"{key.setting} is not the key of {certificate.setting}") from None
            raise Unusable(
                f"{certificate.setting} or {key.setting} is not in PEM format, or the key has a password"
            ) from None
    return context


def _check_readable(file: PemFile) -> None:
    try:
        if file.path:
            file.path.read_bytes()
    except OSError:
        raise Unusable(f"{file.setting} is not a file that can be read") from None

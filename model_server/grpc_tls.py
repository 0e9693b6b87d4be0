"""TLS for gRPC, by the same files as the HTTP port. The next handshake uses files that have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

from service_kit.followed import Followed
from service_kit.tls import TlsFiles, listening_context

if TYPE_CHECKING:
    from pathlib import Path


def credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """With authorities, clients must have a certificate.

    Raises:
        Unusable.
    """

    def configuration() -> grpc.ServerCertificateConfiguration:
        listening_context(files)  # or Unusable: gRPC itself would fail in each handshake
        key, chain = _bytes(files.key.path), _bytes(files.certificate.path)
        authorities = _bytes(files.authorities.path) if files.authorities.path else None
        return grpc.ssl_server_certificate_configuration([(key, chain)], authorities)

    followed = Followed("TLS of gRPC", files.paths, configuration)

    def changed() -> grpc.ServerCertificateConfiguration | None:
        """Called by gRPC before each handshake."""
        before = followed.value
        followed.look()
        return None if followed.value is before else followed.value

    return grpc.dynamic_ssl_server_credentials(
        followed.value, changed, require_client_authentication=files.authorities.path is not None
    )


def _bytes(path: Path | None) -> bytes:
    assert path is not None  # noqa: S101 - narrows the type: a listening context has both
    return path.read_bytes()

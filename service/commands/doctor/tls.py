"""Find out if a server speaks TLS."""

from __future__ import annotations

import socket
import ssl
from typing import Final
from urllib.parse import urlsplit

TIMEOUT: Final = 5.0
"""Timeout of a handshake in seconds."""

PLAIN: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF", "EOF occurred", "HTTP_REQUEST")
"""Parts of OpenSSL's error texts, by version, for a server that does not speak TLS."""

UNTRUSTED: Final = "certificate"
"""Part of the text of every error about an untrusted certificate."""


def speaks_tls(url: str) -> bool:
    """True if a TLS handshake with the server succeeds, whatever its certificate is. No request is sent."""
    address = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        there = (address.hostname or "", address.port or 443)
        with socket.create_connection(there, TIMEOUT) as plain, context.wrap_socket(plain) as secure:
            return secure.version() is not None
    except (OSError, ValueError):
        return False


def is_plain(error: str) -> bool:
    """True if the text of an OpenSSL error means that the server does not speak TLS."""
    return UNTRUSTED not in error.lower() and any(word in error for word in PLAIN)

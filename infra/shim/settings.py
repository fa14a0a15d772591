"""The shim's own settings, beside those of the service."""

from __future__ import annotations

from dataclasses import dataclass

from service.settings import setting

HOST = "127.0.0.1"


@dataclass(frozen=True)
class ShimSettings:
    """Where the stand-ins listen; always on this machine only."""

    aws_port: int = setting(4566, "the port of the AWS stand-in", env="AWS_PORT", least=1, most=65535)
    search_port: int = setting(9200, "the port of the search stand-in", env="SEARCH_PORT", least=1, most=65535)

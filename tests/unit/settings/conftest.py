"""Reads settings in an empty folder and from an empty environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings
from service.settings.reading import Configuration, read_configuration


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, in which no configuration file is found by itself."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def read(empty_folder: Path) -> Callable[..., Configuration]:
    """`read("--group=x", env={…}, file="group: x", classes=[…])`; the file is given as `--config`."""

    def read_settings(
        *arguments: str,
        env: Mapping[str, str] | None = None,
        file: str | bytes | None = None,
        classes: tuple[type, ...] = (Settings,),
        **options: Any,
    ) -> Configuration:
        given = list(arguments)
        if file is not None:
            path = empty_folder / "given.yml"
            path.write_bytes(file if isinstance(file, bytes) else file.encode())
            given += ["--config", str(path)]
        return read_configuration(*classes, arguments=given, environment=env or {}, **options)

    return read_settings

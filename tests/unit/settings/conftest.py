"""Fixtures that read settings in an empty folder and with an empty environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings
from service.settings.reading import Configuration, read_configuration


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder, so that no configuration file is found by default."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def read(empty_folder: Path) -> Callable[..., Configuration]:
    """Return `read("--group=x", env={…}, file="group: x", classes=[…])`. The file is passed as `--config`."""

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

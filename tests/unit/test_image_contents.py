"""The files that the Dockerfile copies, and the errors of image builds."""

from __future__ import annotations

import re
import shutil

import pytest

from infra.build import contents, image
from service.errors import SettingsError


def test_an_image_gets_the_code_and_pinned_packages_with_their_hashes_and_no_tool(tmp_path):
    assert contents.main(["--func=images", str(tmp_path)]) == 0
    assert sorted(path.name for path in (tmp_path / "app").iterdir()) == ["routes", "service"]
    lines = (tmp_path / "requirements.txt").read_text()
    for package in ("boto3==", "flask==", "pillow==", "--hash=sha256:"):
        assert package in lines
    for tool in ("pytest==", "moto==", "osmem-server==", "awslambdaric=="):
        assert tool not in lines
    assert (tmp_path / "lambda.txt").read_text().startswith("awslambdaric==")


def test_routes_that_are_not_there_are_told(tmp_path, capsys):
    assert contents.main(["--func=pictures", str(tmp_path)]) == 2
    assert re.search("Modules with routes: .*images", capsys.readouterr().err)
    with pytest.raises(SettingsError, match=r"Modules with routes: .*images"):
        image.build(("pictures",), "x86_64", tmp_path)


def test_without_an_engine_it_is_said_what_is_missing_and_what_needs_none(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", {}.get)
    with pytest.raises(SettingsError, match=r"Docker.*buildah.*make run need neither"):
        image.build((), "x86_64", tmp_path)


def test_what_an_engine_cannot_build_is_told_and_it_is_asked_for_what_was_wanted(tmp_path, capfd):
    with pytest.raises(SettingsError, match="could not build"):
        image.build(("images",), "arm64", tmp_path, with_=["sh", "-c", 'echo "$@"; exit 1', "engine"])
    asked = capfd.readouterr().out
    for word in ("--platform=linux/arm64", "--build-arg=FUNC=images", "--tag=streamdex-images:container"):
        assert word in asked

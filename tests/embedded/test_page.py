"""The page of the container when it runs as a process."""

from __future__ import annotations

import subprocess
import sys
import urllib.request

from deployments import aws_client, eventually

from infra.shim.probes import free_port


def test_the_container_serves_its_page_and_names_it(tmp_path, monkeypatch):
    ports = {name: str(free_port()) for name in ("AWS_PORT", "SEARCH_PORT", "STREAMDEX_PAGE_PORT")}
    for name, value in ports.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STREAMDEX_CHECKPOINTS", str(tmp_path / "checkpoints.sqlite"))
    monkeypatch.setenv("STREAMDEX_DEAD_LETTERS", str(tmp_path / "letters"))
    for name in ("AWS_ENDPOINT_URL", "SEARCH_URL", "FUNC"):
        monkeypatch.delenv(name, raising=False)
    address = f"http://127.0.0.1:{ports['STREAMDEX_PAGE_PORT']}/"

    def page(path: str = "") -> str:
        with urllib.request.urlopen(address + path, timeout=10) as answer:
            return answer.read().decode()

    command = [sys.executable, "-m", "infra.shim", "run"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        screen = "".join(iter(process.stdout.readline, "Ctrl-C stops everything.\n"))
        assert f"page    {address}" in screen
        assert "images:Images" in page()
        url = f"http://127.0.0.1:{ports['AWS_PORT']}"
        aws_client(url, "dynamodb", "resource").Table("images").put_item(Item={"id": "sunset"})
        eventually(lambda: "sunset" in page("records"), True)
        process.terminate()
        assert process.wait(10) == 0

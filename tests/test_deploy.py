"""Files for containers and pipelines: they ask for what exists, and the action hands its inputs on unharmed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from core import cli
from core.settings import ROOT, VERSION
from core.system import DEMO

DEPLOY = ROOT / "deploy"
CONTAINER = (DEPLOY / "Containerfile").read_text(encoding="utf-8")


def loaded(name: str) -> dict[str, Any]:
    value = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))
    assert isinstance(value, dict)
    return value


def installed(text: str) -> set[str]:
    """The system packages that a script installs."""
    first = text.split("--no-install-recommends", 1)[1].replace("\\\n", " ").splitlines()[0]
    return set(first.split("&&")[0].split())


def arguments(line: str) -> Any:
    """What the parser makes of a command line. Ends the test if it knows an option of it not."""
    program, *words = shlex.split(line)
    assert program == "loupe"
    return cli._parser().parse_args(words)


def test_the_container_has_the_system_packages_that_the_renderer_needs() -> None:
    action = next(step["run"] for step in loaded("action/action.yml")["runs"]["steps"] if step.get("name") == "Install")
    assert installed(CONTAINER) == installed(action) == {need.apt for need in DEMO}


def test_the_container_copies_what_the_wheel_is_built_from() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    copied = {word for line in re.findall(r"^COPY ([^-].*) \S+$", CONTAINER, re.MULTILINE) for word in line.split()}
    needed = {*wheel["wheel"]["only-include"], *wheel["wheel"]["force-include"], "pyproject.toml", "requirements.txt"}
    assert {each for each in needed if each not in copied and str(Path(each).parent) not in copied} == set()
    assert all((ROOT / each).exists() for each in copied)


def test_the_container_runs_as_nobody_special_and_is_watched() -> None:
    last = CONTAINER[CONTAINER.rindex("FROM ") :]
    user, entry = last.index("\nUSER 10001"), last.index("\nENTRYPOINT")
    assert user < entry and "HEALTHCHECK" in last and "VOLUME /data" in last
    service = loaded("compose.yml")["services"]["loupe"]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]


def test_nothing_but_the_proxy_reaches_the_app() -> None:
    services = loaded("compose.yml")["services"]
    assert services["proxy"]["network_mode"] == "service:loupe"
    assert services["loupe"]["ports"] == ["80:80", "443:443"]
    chosen = arguments(shlex.join(["loupe", *services["loupe"]["command"]]))
    assert not [option for option in chosen.streamlit if option.startswith("--server.address")]
    assert "proxy_pass http://127.0.0.1:8501;" in (DEPLOY / "nginx.conf").read_text(encoding="utf-8")


def test_the_pipelines_give_options_that_exist() -> None:
    job = loaded("pipelines/gitlab.yml")["audit"]
    (line,) = job["script"]
    out = arguments(line).out
    assert job["artifacts"]["reports"]["junit"] == f"{out}/report/junit.xml"
    assert job["image"]["name"].endswith(f":{VERSION}")
    step = next(step for step in loaded("pipelines/github.yml")["jobs"]["audit"]["steps"] if step.get("id") == "loupe")
    assert set(step["with"]) <= set(loaded("action/action.yml")["inputs"])
    arguments(f"loupe audit --images photos --out out {step['with']['arguments']}")
    with pytest.raises(SystemExit):
        arguments("loupe audit --images photos --out out --no-such-option")


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_action_hands_on_inputs_and_exit_code(tmp_path: Path, code: int) -> None:
    action = loaded("action/action.yml")
    step = next(step for step in action["runs"]["steps"] if step.get("id") == "audit")
    program = tmp_path / "loupe" / "bin" / "loupe"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@"\nexit {code}\n')
    program.chmod(0o755)
    given = {**{name: about.get("default", "") for name, about in action["inputs"].items()}}
    given |= {"images": "my photos/$(touch harmed)", "texts": "a;b.txt", "arguments": "--limit 5 --title 'Two words'"}
    values = {name: given[re.search(r"inputs\.([\w-]+)", asked)[1]] for name, asked in step["env"].items()}  # type: ignore[index]
    output = tmp_path / "output"
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step["run"]],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(output), **values},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code
    words = done.stdout.splitlines()
    assert words[1:3] == ["--images", "my photos/$(touch harmed)"] and not (tmp_path / "harmed").exists()
    assert words[-6:] == ["--texts", "a;b.txt", "--limit", "5", "--title", "Two words"]
    assert arguments(shlex.join(["loupe", *words])).limit == 5
    assert output.read_text().splitlines() == ["report=loupe-run/report", f"exit-code={code}"]

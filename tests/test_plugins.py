"""Plug-ins: found where they are installed and nowhere else, named in what they change; faults stay their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core import plugins
from core.applications.registry import APPLICATIONS, planned
from core.attribution.explain import explain
from core.audit.plugged import plugin_problems
from core.errors import InputError
from core.findings.judgement import apply, every_rule, origin
from core.methods import METHODS, method_info
from core.models.loading import load_model
from core.reporting.requirements import frameworks
from core.request import methods_at
from core.rules import Context, load_thresholds
from core.rules.limits import limits_model
from core.runs import MethodPlan
from core.runs.code import code_digest, plan_code
from core.runs.plan import parse_plan
from core.sandbox import client
from core.settings import ROOT
from tests.sandbox import tasks
from tests.support import own_pytest
from tests.support.distributions import EXAMPLE, descriptions_read, install, install_example
from tests.support.made_run import made_run

PLAN = {"dataset": "0123456789abcdef", "dataset_root": "dataset/0123456789abcdef", "images": ("a",)}
CARD = (EXAMPLE / "loupe_brightness" / "card.py").read_text()
Settle = Callable[[], None]


def forget() -> None:
    plugins.forget()
    limits_model.cache_clear()
    frameworks.cache_clear()


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which distributions are installed: `PYTHONPATH` names it."""
    folder = tmp_path / "installed"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{ROOT}")
    monkeypatch.delenv(plugins.SETTING, raising=False)
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    forget()
    yield folder
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]
    monkeypatch.undo()
    forget()


@pytest.fixture
def example(target: Path) -> Path:
    install_example(target)
    forget()
    return target


def command(target: Path, *arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{target}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, "-m", "core", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


# -- what is found -------------------------------------------------------------------------------------------------


def test_what_an_installed_package_brings_is_used(example: Path) -> None:
    assert "brightness" in METHODS and "brightness" in list(METHODS)
    assert method_info("brightness").module == "loupe_brightness.maps"
    assert "captioned.images" in [rule.id for rule in every_rule()]
    assert load_thresholds()["captioned.least"] == 0.5
    assert frameworks()[-1].id == "house-style"
    assert plugin_problems() == []
    entry = plugins.provider(plugins.METHODS, "brightness")
    assert entry is not None and (entry.distribution, entry.version) == ("loupe-brightness", "0.3.0")


def test_only_packages_with_a_part_are_read_for_their_names(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = descriptions_read(monkeypatch)
    plugins.forget()
    assert {entry.distribution for entry in plugins.installed()} == {"loupe-brightness"}
    assert {Path(folder).name for folder in read} == {"loupe_brightness-0.3.0.dist-info"}


def test_an_own_method_is_found_without_a_look_at_packages(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins.metadata, "distributions", lambda **_: pytest.fail("packages were listed"))
    assert method_info(next(iter(METHODS._own))).module == ""
    assert APPLICATIONS["sanity"].name == "sanity"
    with pytest.raises(pytest.fail.Exception):
        len(METHODS)


def test_the_switch_leaves_packages_out(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for names, there in (("none", False), ("all", True), ("Loupe_Brightness", True)):
        monkeypatch.setenv(plugins.SETTING, "")
        plugins.choose(names)
        forget()
        assert ("brightness" in METHODS) == there
        assert ("captioned.images" in [rule.id for rule in every_rule()]) == there
        assert ("house-style" in [one.id for one in frameworks()]) == there
    install(example, "loupe-other", "1.0", {plugins.METHODS: {"other": "loupe_other:CARD"}}, {"loupe_other.py": ""})
    plugins.choose("loupe-other")
    assert "brightness" not in METHODS and len(plugins.installed()) == 4
    with pytest.raises(
        InputError,
        match=r"no plug-in is installed under the name 'loupe-non'; installed: loupe-brightness, loupe-other",
    ):
        plugins.choose("loupe-brightness,loupe-non")


def test_the_command_line_lists_them_and_has_the_switch(example: Path) -> None:
    told = json.loads(command(example, "plug-ins", "--json").stdout)
    assert {(row["group"], row["name"], row["state"]) for row in told} == {
        ("loupe.frameworks", "house_style", "used"),
        ("loupe.methods", "brightness", "used"),
        ("loupe.rules", "dark_images", "used"),
    }
    told = json.loads(command(example, "plug-ins", "--json", "--plug-ins", "none").stdout)
    assert {row["state"] for row in told} == {"not allowed"}
    wrong = command(example, "methods", "--plug-ins", "loupe-nothing")
    assert wrong.returncode == 2 and wrong.stderr.count("\n") == 1 and "loupe-nothing" in wrong.stderr


def test_a_folder_of_images_is_not_an_installation(tmp_path: Path) -> None:
    # Whoever works in a folder of a stranger's files runs nothing of it.
    stranger = tmp_path / "photos"
    install(stranger, "evil", "1.0", {plugins.METHODS: {"evil": "evil:CARD"}}, {"evil.py": "print('ran')"})
    told = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import os; os.chdir({str(stranger)!r})\n"
    told += "sys.path.insert(0, ''); sys.path.insert(0, os.getcwd())\n"
    told += "from core.methods import METHODS; print('evil' in METHODS, len(METHODS) > 30)"
    environment = {**os.environ, "PYTHONPATH": "."}
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=stranger, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]
    # The same folder is one where the operator names it in full.
    environment = {**os.environ, "PYTHONPATH": str(stranger)}
    done = subprocess.run([sys.executable, "-c", told], cwd=stranger, env=environment, capture_output=True, text=True)
    assert done.stdout.split()[0] == "ran"


def test_what_opens_a_strangers_file_has_no_plug_ins(example: Path) -> None:
    assert "brightness" in METHODS
    box = client.Sandbox()
    try:
        assert box.call(tasks.methods).value == {"plugged": [], "setting": "none"}
    finally:
        box.close()


# -- faults --------------------------------------------------------------------------------------------------------

FAULTS = {
    "raises": ("loupe.methods", "raise RuntimeError('no licence')", "RuntimeError: no licence"),
    "leaves": ("loupe.methods", "raise SystemExit(3)", "SystemExit: 3"),
    "absent": ("loupe.methods", "", "AttributeError"),
    "number": ("loupe.applications", "PART = 3", "it is int, not an Application"),
    "rules": ("loupe.rules", "PART = ()", "it is tuple, not a Rule"),
    "nowhere": ("loupe.frameworks", "PART = '/no/such/file.toml'", "FileNotFoundError"),
    "raw": ("loupe.methods", "PART = 3", "the name is taken"),
    "Big": ("loupe.methods", "PART = 3", "its name must be"),
    "other": ("loupe.methods", CARD.replace("CARD =", "PART ="), "its card is called 'brightness'"),
    "silent": ("loupe.methods", CARD.replace("CARD =", "PART =").replace('name="brightness"', 'name="silent"').replace(
        "unit=\"normalised pixel value x cosine\"", "unit=''"), "its card has no text under unit"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_part_that_cannot_be_used_is_one_line(target: Path, name: str) -> None:
    group, code, reason = FAULTS[name]
    install(target, "faulty", "2.1", {group: {name: "faulty:PART"}}, {"faulty.py": code})
    forget()
    (line,) = plugin_problems()
    assert line.startswith(f"{plugins.GROUPS[group]} {name!r} of the plug-in faulty 2.1 is not used: ")
    assert reason in line and "\n" not in line and len(line) < 500
    assert len(METHODS) == len(METHODS._own) and len(frameworks()) == 7


def test_one_fault_leaves_the_other_parts(example: Path) -> None:
    install(example, "faulty", "2.1", {plugins.METHODS: {"faulty": "faulty:PART"}}, {"faulty.py": "1 / 0"})
    done = command(example, "plug-ins")
    assert done.returncode == 0
    assert "loupe-brightness 0.3.0: method brightness (used)" in done.stdout
    assert "method 'faulty' of the plug-in faulty 2.1 is not used: ZeroDivisionError: division by zero" in done.stdout


@pytest.mark.parametrize(
    "text",
    ["[captioned", "[severity]\nhigh = 3", "[captioned]\nleast = { value = 2.0, range = [0.0, 1.0], reason = 'x' }"],
)
def test_thresholds_that_cannot_be_used_leave_the_built_in_ones(example: Path, text: str) -> None:
    (example / "loupe_brightness" / "limits.toml").write_text(text)
    forget()
    assert load_thresholds()["severity.high"] > 0
    assert "captioned.images" not in [rule.id for rule in every_rule()]
    assert any("limits.toml" in line for line in plugin_problems())


def test_a_method_that_fails_is_told_with_its_package(example: Path) -> None:
    maps = example / "loupe_brightness" / "maps.py"
    for code, told in (
        ("def attribute_image(work, options):\n    return {}['x']\n", "failed: KeyError: 'x'"),
        (
            "def attribute_image(work, options):\n    return work.scores\n",
            r"shape \(1, 1\), not \(1, 1, rows, columns\)",
        ),
        ("def attribute_image(work, options):\n    return 3\n", "returned int, not a tensor"),
        ("import no_such_package\n", "cannot be loaded: ModuleNotFoundError"),
    ):
        maps.write_text(code)
        sys.modules.pop("loupe_brightness.maps", None)
        image = ROOT / "core" / "sample" / "images" / "lake.jpg"
        with pytest.raises(
            InputError, match=rf"the method 'brightness' of the plug-in loupe-brightness 0\.3\.0.*{told}"
        ):
            explain(load_model("demo"), [image], ["a lake"], "brightness")


def test_a_rule_that_fails_cannot_conclude(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made_run(tmp_path / "run", images=2)
    (rule,) = (rule for rule in every_rule() if rule.id == "captioned.images")
    assert origin(rule) is not None and origin(every_rule()[0]) is None
    assert [one.status for one in apply(rule, Context(run))] != ["cannot_conclude"]
    monkeypatch.setattr("loupe_brightness.rules.CAPTIONED", None)
    (told,) = apply(rule, Context(run))
    assert told.status == "cannot_conclude"
    assert "of the plug-in loupe-brightness 0.3.0 ended with an error: AttributeError" in told.condition


# -- what they change is named -------------------------------------------------------------------------------------


def test_a_plan_names_what_brings_its_methods_and_its_code_is_hashed(example: Path) -> None:
    plain = planned(**PLAN, methods=methods_at("quick", ["raw"]))
    plan = planned(**PLAN, methods=methods_at("quick", ["raw", "brightness"]))
    assert plain.plugins == () and [one.distribution for one in plan.plugins] == ["loupe-brightness"]
    assert plan_code(plain) == code_digest() != plan_code(plan)
    first = plan_code(plan)
    forget()
    assert plan_code(plan) == first
    maps = example / "loupe_brightness" / "maps.py"
    maps.write_text(maps.read_text().replace("mean(dim=1", "amax(dim=1"))
    forget()
    assert plan_code(plan) != first and plan_code(plain) == code_digest()


def test_a_plan_whose_plug_in_is_gone_is_refused_in_one_line(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = planned(**PLAN, methods=(MethodPlan(name="brightness"),)).model_dump_json().encode()
    assert parse_plan(stored).plugins
    monkeypatch.setenv(plugins.SETTING, "none")
    forget()
    with pytest.raises(InputError, match=r"it needs the plug-in loupe-brightness 0\.3\.0, which is not installed here"):
        parse_plan(stored)


# -- the contract --------------------------------------------------------------------------------------------------


def contract(target: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The test file of the example, run by pytest alone in another process."""
    places = (target, ROOT, ROOT / "deploy" / "wheel")
    outside = own_pytest.environment(PYTHONPATH=os.pathsep.join(map(str, places)))
    empty = target.parent / "pytest.ini"
    empty.write_text("[pytest]\n")
    ask = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(empty), *more]
    return subprocess.run(
        [*ask, str(EXAMPLE / "tests")], cwd=target.parent, env=outside, capture_output=True, text=True
    )


def test_the_example_keeps_the_contract(example: Path) -> None:
    done = contract(example)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "14 passed, 1 skipped" in done.stdout


def test_the_contract_sees_a_method_that_breaks_it(example: Path) -> None:
    maps = example / "loupe_brightness" / "maps.py"
    code = maps.read_text().replace("keepdim=True)", "keepdim=True)\n    grey = grey - grey.mean()")
    maps.write_text(code)
    done = contract(example, "-k", "batch or seed or shape")
    assert "1 failed, 2 passed" in done.stdout, done.stdout[-3000:]
    assert "test_a_batch_is_one_by_one" in done.stdout

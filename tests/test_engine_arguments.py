"""Who computes the units, from the command line and from the environment of the operator."""

from __future__ import annotations

import argparse
import sys

import pytest

from core.audit.engines import Engine
from core.engine_arguments import chosen_engine, engine_arguments
from core.errors import InputError


def chosen(*arguments: str) -> Engine:
    parser = argparse.ArgumentParser()
    engine_arguments(parser)
    return chosen_engine(parser.parse_args(arguments))


def test_a_number_of_workers_settles_the_threads_whatever_it_is() -> None:
    assert chosen() == Engine(workers=1, threads=0)
    assert chosen("--workers", "1") == Engine(workers=1, threads=1)
    assert chosen("--workers", "4") == Engine(workers=4, threads=1)
    assert chosen("--workers", "4", "--threads", "2") == Engine(workers=4, threads=2)
    assert chosen("--threads", "2") == Engine(workers=1, threads=2)


def test_the_environment_gives_the_default_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_WORKERS", "3")
    assert chosen() == Engine(workers=3, threads=1)
    assert chosen("--workers", "2") == Engine(workers=2, threads=1)


@pytest.mark.parametrize("told", ["0", "257", "-1", "two", "9" * 5000])
def test_wrong_numbers_are_refused_in_one_line(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_WORKERS", told)
    with pytest.raises(InputError, match=r"^LOUPE_WORKERS must be .*from 1 to 256, not [^\n]{1,60}$"):
        chosen()


@pytest.mark.parametrize("arguments", [("--workers", "0"), ("--workers", "257"), ("--threads", "0")])
def test_numbers_out_of_bounds_are_refused_in_one_line(arguments: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=f"^{arguments[0]} must be from 1 to"):
        chosen(*arguments)


def test_ray_is_chosen_by_an_argument_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("--engine", "ray", "--workers", "2")
    assert chosen(*asked) == Engine("ray", workers=2, threads=1)
    assert chosen(*asked, "--ray-address", "10.0.0.1:6379") == Engine("ray", 2, 1, "10.0.0.1:6379")
    monkeypatch.setenv("LOUPE_ENGINE", "ray")
    monkeypatch.setenv("LOUPE_RAY_ADDRESS", "10.0.0.1:6379")
    assert chosen("--workers", "3") == Engine("ray", 3, 1, "10.0.0.1:6379")
    assert chosen("--workers", "3", "--engine", "local") == Engine("local", 3, 1)


def test_ray_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"^--engine ray needs packages .*'loupe-audit\[ray\]'"):
        chosen("--engine", "ray")


def test_an_address_without_ray_and_an_unknown_engine_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^--ray-address is the address of a cluster for --engine ray"):
        chosen("--ray-address", "10.0.0.1:6379")
    monkeypatch.setenv("LOUPE_ENGINE", "dask")
    with pytest.raises(InputError, match=r"^LOUPE_ENGINE must be one of local, ray, not 'dask'$"):
        chosen()

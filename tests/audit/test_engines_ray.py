"""Units on Ray. In most tests a stand-in takes its place, whose actors run here, one call after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.audit.engines import Engine
from core.audit.engines import ray as engine_ray
from core.audit.worker import work
from core.datasets import Dataset
from core.errors import RunError
from core.runs import Run
from core.runs.queue import TRIES
from tests.audit.small import loaded, result_hashes
from tests.audit.test_engines_local import small_run

TWO = Engine("ray", workers=2, threads=1)
# What an actor is asked to compute: its number, the position of the unit, and how often it was asked before.
Script = Callable[[int, str, int], None]


class RayError(Exception):
    pass


class RayActorError(RayError):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Answer:
    """Something that will be computed when it is asked for."""

    def __init__(self, compute: Callable[[], Any]) -> None:
        self.compute = compute


class StandIn:
    """As much of the module `ray` as the engine uses."""

    exceptions = SimpleNamespace(RayError=RayError, RayActorError=RayActorError, RayTaskError=RayTaskError)

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: dict[str, int] = {}
        self.started = 0
        self.ended = 0
        self.under_way = 0
        self.most = 0

    def remote(self, **options: Any) -> Callable[[type], Any]:
        self.options = options
        return lambda kind: SimpleNamespace(remote=lambda: self.start(kind()))

    def put(self, value: Any) -> Any:
        return value

    def start(self, made: Any) -> Any:
        number = self.started
        self.started += 1

        def prepare(job: Any) -> Answer:
            return Answer(lambda: self.answer(number, "", lambda: made.prepare(job)))

        def compute(key: str, shard: Any, images: Any) -> Answer:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            return Answer(lambda: self.answer(number, key, lambda: made.compute(key, shard, images)))

        return SimpleNamespace(prepare=SimpleNamespace(remote=prepare), compute=SimpleNamespace(remote=compute))

    def answer(self, number: int, key: str, compute: Callable[[], Any]) -> Any:
        self.under_way -= bool(key)
        self.asked[key] = self.asked.get(key, 0) + 1
        self.script(number, key, self.asked[key])
        try:
            return compute()
        except Exception as error:
            raise RayTaskError(error) from error

    def wait(self, answers: list[Answer], num_returns: int, timeout: float) -> tuple[list[Answer], list[Answer]]:
        # The latest first: what comes back is in no order.
        return answers[-1:], answers[:-1]

    def get(self, answer: Answer) -> Any:
        return answer.compute()

    def kill(self, actor: Any) -> None:
        self.ended += 1


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Script], StandIn]:
    def install(script: Script = lambda number, key, times: None) -> StandIn:
        made = StandIn(script)

        @contextmanager
        def cluster(engine: Engine, threads: int) -> Iterator[StandIn]:
            yield made

        monkeypatch.setattr(engine_ray, "cluster", cluster)
        return made

    return install


@pytest.fixture
def run(tmp_path: Path, dataset: Dataset, vit: Path) -> Run:
    return small_run(tmp_path / "run", dataset, vit)


def go(run: Run, vit: Path, engine: Engine = TWO) -> str:
    return work(run, model=loaded(vit), report=False, engine=engine)


def test_actors_give_the_bytes_of_one_process_with_few_units_under_way(
    run: Run, tmp_path: Path, dataset: Dataset, vit: Path, stand_in: Callable[..., StandIn]
) -> None:
    ray = stand_in()
    assert go(run, vit) == "done"
    one = small_run(tmp_path / "one", dataset, vit)
    assert go(one, vit, Engine()) == "done"
    assert result_hashes(run) == result_hashes(one)
    assert run.manifest["cost"]["image_forwards"] == one.manifest["cost"]["image_forwards"] > 0
    assert (ray.started, ray.ended) == (2, 2)
    assert 2 <= ray.most <= 2 * engine_ray.AHEAD
    assert (ray.options["num_cpus"], ray.options["num_gpus"], ray.options["max_restarts"]) == (1, 0, 0)
    assert run.manifest["environment"]["engine"] == "ray"


def test_a_unit_on_which_every_actor_is_lost_fails_and_the_others_are_done(
    run: Run, vit: Path, stand_in: Callable[..., StandIn]
) -> None:
    deadly: list[str] = []

    def script(number: int, key: str, times: int) -> None:
        if key and key in (deadly or [deadly.append(key) or key]):
            raise RayActorError("the actor died")

    ray = stand_in(script)
    assert go(run, vit) == "done_with_errors"
    units = {unit["key"]: unit for unit in run.store.units()}
    failed = units.pop(deadly[0])
    assert (failed["state"], failed["tries"], failed["error"]) == ("failed", TRIES, engine_ray.LOST)
    assert {unit["state"] for unit in units.values()} == {"done"}
    # Only what an actor computed when it was lost counts as a try, not what waited behind it.
    assert {unit["tries"] for unit in units.values()} == {1}
    assert ray.started == 2 + TRIES
    assert sum(kind == "worker ended" for _, kind, _ in run.store.events()) == TRIES


def test_an_error_in_an_actor_is_that_of_the_unit(run: Run, vit: Path, stand_in: Callable[..., StandIn]) -> None:
    first: list[str] = []

    def script(number: int, key: str, times: int) -> None:
        if key and key in (first or [first.append(key) or key]):
            raise RayTaskError(ValueError("a bad image"))

    ray = stand_in(script)
    assert go(run, vit) == "done_with_errors"
    failed = next(unit for unit in run.store.units() if unit["key"] == first[0])
    assert (failed["state"], failed["tries"], failed["error"]) == ("failed", TRIES, "ValueError: a bad image")
    assert ray.started == 2


def test_a_cluster_that_loses_every_process_is_given_up_in_one_line(
    run: Run, vit: Path, stand_in: Callable[..., StandIn]
) -> None:
    def script(number: int, key: str, times: int) -> None:
        raise RayActorError("out of memory")

    ray = stand_in(script)
    with pytest.raises(RunError, match=r"^the cluster lost 10 processes one after the other: out of memory$"):
        go(run, vit)
    assert ray.started == 1 + engine_ray.MOST_LOST
    assert {(unit["state"], unit["tries"]) for unit in run.store.units()} == {("waiting", 0)}
    # The companion: the same run is finished by a cluster that keeps its processes.
    stand_in()
    assert go(run, vit) == "done"


def test_a_request_to_stop_ends_the_actors_and_returns_their_units(
    run: Run, vit: Path, stand_in: Callable[..., StandIn]
) -> None:
    def script(number: int, key: str, times: int) -> None:
        if key:
            run.store.cancel()

    ray = stand_in(script)
    assert go(run, vit) == "cancelled"
    assert ray.ended == 2
    counts = [(unit["state"], unit["tries"]) for unit in run.store.units()]
    assert set(counts) <= {("waiting", 0), ("done", 1)}
    assert counts.count(("waiting", 0)) >= 3


@pytest.mark.parametrize(
    ("other", "line"), [({"code": "other"}, "another version of Loupe"), ({"model": "other"}, "other weights")]
)
def test_a_node_that_would_compute_other_rows_is_named(
    other: dict[str, str],
    line: str,
    run: Run,
    vit: Path,
    stand_in: Callable[..., StandIn],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in()
    job_of = engine_ray.job_of
    monkeypatch.setattr(engine_ray, "job_of", lambda bench, threads: replace(job_of(bench, threads), **other))
    with pytest.raises(RunError, match=line):
        go(run, vit)
    assert {unit["state"] for unit in run.store.units()} == {"waiting"}

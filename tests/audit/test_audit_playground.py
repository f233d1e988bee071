"""The warm process: it answers, gives up what nobody waits for, is missed when it dies, ends when it is idle."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import explain, load_model
from core.audit.playground import Desk, Question, Request
from core.audit.playground.worker import GivenUp, Inbox, Mouth, Torn, _answered, _stop_soon, memory_line
from core.datasets import Dataset, ingest
from core.errors import InputError
from core.runs import ModelSpec
from core.sandbox import frames
from core.settings import ROOT

LONG = 300.0
SLOW = ("convis", "m2ib", "integrated_gradients", "rise", "kernel_shap")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return ingest([ROOT / "core" / "sample" / "images" / "macaw.jpg"], store=tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOUPE_HOME", str(tmp_path_factory.mktemp("home")))
        yield desk
    desk.close()


def question(images: Dataset, *texts: str, model: str = "demo-vit") -> Question:
    return Question(ModelSpec(name=model), images.root, images.images[0].id, texts or ("a bird", "a house"))


def ended(desk: Desk, request: Request) -> Request:
    seen = 0
    while not request.over:
        seen = desk.wait(request, seen, LONG)
    return request


def test_maps_and_scores_are_those_of_the_methods(desk: Desk, images: Dataset) -> None:
    done = ended(desk, desk.ask("a", question(images), ["raw", "gradcam"]))
    assert not done.error and set(done.answer.maps) == {"raw", "gradcam"} and done.answer.scores is not None
    model = load_model("demo-vit")
    for name, found in done.answer.maps.items():
        own = explain(model, images.open(images.images[0]), ["a bird", "a house"], name, sides=["image"])
        assert found.values is not None and own.image is not None
        assert np.allclose(found.values, own.image[0], atol=1e-5)
        assert not np.allclose(found.values[::-1], own.image[0], atol=1e-5)
        assert np.allclose(done.answer.scores.cosines, own.scores[0], atol=1e-5)
    assert sum(done.answer.scores.shares) == pytest.approx(1.0)


def test_what_was_answered_is_not_asked_again_and_serves_everybody(desk: Desk, images: Dataset) -> None:
    first = ended(desk, desk.ask("a", question(images), ["raw"]))
    assert desk.ask("a", question(images), ["raw"]) is first
    other = desk.ask("b", question(images), ["raw"])
    assert other.over and other.answer is first.answer and not other.missing
    more = ended(desk, desk.ask("a", question(images), ["raw", "maskclip"]))
    assert more.missing in ((), ("maskclip",)) and more.answer.maps["maskclip"].values is not None


def test_a_later_question_of_the_same_asker_takes_the_place_of_the_former(desk: Desk, images: Dataset) -> None:
    former = desk.ask("a", question(images, "a dog"), SLOW)
    later = ended(desk, desk.ask("a", question(images, "a cat"), ["raw"]))
    assert former.superseded and former.over and not former.error and SLOW[-1] not in former.answer.maps
    assert not later.error and set(later.answer.maps) == {"raw"}
    asked = desk.ask("a", question(images, "a cow"), SLOW)
    desk.cancel("a")
    assert asked.superseded and asked.over


def test_a_problem_of_one_method_or_question_is_one_line_and_the_process_goes_on(desk: Desk, images: Dataset) -> None:
    pid = desk.pid
    done = ended(desk, desk.ask("a", question(images, model="demo-cnn"), ["gae", "raw"]))
    assert not done.error and "needs a model" in done.answer.maps["gae"].problem
    assert done.answer.maps["raw"].values is not None
    missing = Question(ModelSpec(name="demo-vit"), images.root, "0" * 16, ("a bird",))
    assert "no longer stored" in ended(desk, desk.ask("a", missing, ["raw"])).error
    unknown = ended(desk, desk.ask("a", question(images, model="no-such-model"), ["raw"]))
    assert unknown.error and "\n" not in unknown.error and desk.pid == pid is not None


def test_a_box_is_scored_as_a_crop_and_by_inversion(desk: Desk, images: Dataset) -> None:
    box = (40, 30, 200, 200)
    done = ended(desk, desk.ask("a", question(images), ["raw"], box))
    found = done.answer.regions[box]
    model = load_model("demo-vit")
    crop = explain(model, images.open(images.images[0]).crop(box), ["a bird", "a house"], "raw", sides=["image"])
    assert np.allclose(found.crop, crop.scores[0], atol=1e-5) and len(found.inverted) == 2
    assert done.answer.scores is not None and not np.allclose(found.crop, done.answer.scores.cosines, atol=1e-3)
    assert found.fit >= found.fit_before > 0
    outside = ended(desk, desk.ask("a", question(images), ["raw"], (0, 0, 9_999, 10)))
    assert "must lie within the image" in outside.error


def test_a_death_is_one_line_and_the_next_question_starts_another_process(desk: Desk, images: Dataset) -> None:
    asked = desk.ask("a", question(images, "a horse"), SLOW)
    pid = desk.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert "killed by signal 9 (SIGKILL)" in ended(desk, asked).error and "memory" in asked.error
    # The same question is not asked again by itself: it may be what kills the process.
    assert desk.ask("a", question(images, "a horse"), SLOW) is asked
    desk.forget("a")
    again = ended(desk, desk.ask("a", question(images, "a horse"), ["raw"]))
    assert not again.error and desk.pid not in (None, pid)


def test_an_idle_process_ends_by_itself_and_the_next_question_starts_another(
    images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path))
    desk = Desk(idle=0.0)
    assert not ended(desk, desk.ask("a", question(images), ["raw"])).error
    process = desk._process
    if process is not None:
        assert process.child.wait(LONG) == 0
    assert not ended(desk, desk.ask("a", question(images, "a tree"), ["raw"])).error
    desk.close()


# -- within the process ------------------------------------------------------------------------------------------


class Work:
    """A bench that does what a test says."""

    def __init__(self, work: Any) -> None:
        self.work = work
        self.forgotten = False

    def answer(self, question: Question, methods: list[str], box: Any, tell: Any) -> None:
        self.work(tell)

    def forget(self) -> None:
        self.forgotten = True


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    inbox = Inbox()
    told = Question(ModelSpec(), tmp_path, "0" * 16, ("a",)).told()
    for number in (1, 2):
        inbox.put({"id": number, "asker": "a", "question": told, "methods": [], "box": None})
    return inbox


def test_a_question_is_given_up_between_two_answers_and_in_the_middle_of_work(inbox: Inbox, tmp_path: Path) -> None:
    with (tmp_path / "answers").open("wb") as out:
        mouth = Mouth(out.fileno(), inbox)
        message = inbox.next(0)
        assert message is not None

        def between(tell: Any) -> None:
            tell({"kind": "stage", "stage": "raw"})
            inbox.put({"cancel": 1})
            tell({"kind": "stage", "stage": "rise"})

        with pytest.raises(GivenUp) as raised:
            _answered(Work(between), message, mouth)  # type: ignore[arg-type]
        assert not isinstance(raised.value, Torn) and inbox.next(0) != message

        def stop(number: int, frame: object) -> None:
            if mouth.stoppable and inbox.is_given_up():
                raise Torn

        def middle(tell: Any) -> None:
            inbox.put({"cancel": 2})
            _stop_soon(inbox, threading.get_ident(), 2, 0.0)
            threading.Event().wait(LONG)

        signal.signal(signal.SIGUSR1, stop)
        try:
            with pytest.raises(Torn):
                _answered(Work(middle), message, mouth)  # type: ignore[arg-type]
        finally:
            # As the loop does. A signal that is already on its way would end this process by the default handler.
            inbox.next(0)
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    with (tmp_path / "answers").open("rb") as told:
        first = frames.read(told.fileno())
        assert first is not None and first[0] == {"id": 1, "kind": "stage", "stage": "raw"}


def test_a_question_that_waits_is_given_up_without_a_trace(inbox: Inbox) -> None:
    inbox.put({"cancel": 1})
    message = inbox.next(0)
    assert message is not None and message["id"] == 2 and not inbox.is_given_up()
    assert inbox.next(0) is None


def test_errors_become_one_line(inbox: Inbox, tmp_path: Path) -> None:
    message = inbox.next(0)
    assert message is not None

    def fails(error: Exception) -> Any:
        def work(tell: Any) -> None:
            raise error

        return Work(work)

    with (tmp_path / "answers").open("wb") as out:
        mouth = Mouth(out.fileno(), inbox)
        assert _answered(fails(InputError("the image is gone")), message, mouth) == "the image is gone"
        assert "more memory than is free" in _answered(fails(MemoryError()), message, mouth)
        broken = fails(ValueError("secret"))
        line = _answered(broken, message, mouth)
        assert "defect" in line and "secret" not in line and broken.forgotten
    assert not memory_line(ValueError("x")) and memory_line(RuntimeError("DefaultCPUAllocator: can't allocate memory"))

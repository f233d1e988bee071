"""Opening files a few ahead, in the order in which they were given: the next is opened while one is stored."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from core import sandbox
from core.errors import Refused

_AT_ONCE = 2
_Thing = TypeVar("_Thing")
_Found = TypeVar("_Found")


def ahead(
    things: Iterable[_Thing], begin: Callable[[_Thing], Callable[[], _Found]]
) -> Generator[tuple[_Thing, Future[_Found]], None, None]:
    """Each thing in order, with the outcome of the work that `begin` returns for it.

    `begin` runs in the caller's thread, some things ahead; what it refuses is that thing's outcome. The work runs in
    another thread. An interrupt ends what is under way.
    """
    pool = ThreadPoolExecutor(_AT_ONCE)
    waiting: deque[tuple[_Thing, Future[_Found]]] = deque()
    try:
        for thing in things:
            waiting.append((thing, _begun(pool, begin, thing)))
            if len(waiting) > _AT_ONCE:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    except KeyboardInterrupt:
        sandbox.stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begun(pool: ThreadPoolExecutor, begin: Callable[[_Thing], Callable[[], _Found]], thing: _Thing) -> Future[_Found]:
    try:
        return pool.submit(begin(thing))
    except Refused as refused:
        ended: Future[_Found] = Future()
        ended.set_exception(refused)
        return ended

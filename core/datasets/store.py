"""A store of datasets: working folders that nobody sees, moved to their place whole, removed once abandoned."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from core.datasets.class_lists import CLASS_NAMES
from core.datasets.dataset import ANNOTATIONS, IMAGES, Dataset, load_dataset
from core.errors import InputError

_PREFIX = ".incoming-"


@contextlib.contextmanager
def writing(store: Path) -> Iterator[None]:
    """Tells a full disk or a missing permission in one line that names the store, as an `InputError`."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InputError(f"{store} cannot be written ({why}); free space there or choose another folder") from error


@contextlib.contextmanager
def working_folder(store: Path) -> Iterator[Path]:
    """A folder in `store` for one import, with a place for images; removed at the end if it is still there.

    What processes left there that died is removed first. Raises `InputError` if the store cannot be written.
    """
    with contextlib.ExitStack() as stack:
        with writing(store):
            store.mkdir(parents=True, exist_ok=True)
            # Nobody tidies up between the making of a folder and its lock.
            with _locked(store):
                _tidy(store)
                work = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=store))
                stack.callback(shutil.rmtree, work, ignore_errors=True)
                stack.enter_context(_locked(work))
            (work / IMAGES).mkdir()
        yield work


def place(dataset: Dataset, store: Path) -> Dataset:
    """Moves the finished working folder to its place, or finds that the same dataset is there already."""
    final = store / dataset.id
    with writing(store):
        if _complete(final):
            if (dataset.root / CLASS_NAMES).is_file():
                shutil.copyfile(dataset.root / CLASS_NAMES, final / CLASS_NAMES)
        else:
            # What lies there is damaged; the new folder holds the same content, whole.
            if final.exists():
                if (final / ANNOTATIONS).is_file():
                    shutil.copyfile(final / ANNOTATIONS, dataset.root / ANNOTATIONS)
                trash = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=store))
                os.rename(final, trash / final.name)
                shutil.rmtree(trash)
            try:
                os.rename(dataset.root, final)
            except OSError:
                # Another process has stored the same dataset in the meantime; anything else stays an error.
                if not _complete(final):
                    raise
    stored = load_dataset(final)
    return stored.model_copy(
        update={"refusals": dataset.refusals, "duplicates": dataset.duplicates, "remarks": dataset.remarks}
    )


def copied(dataset: Dataset, store: Path) -> Dataset:
    """A stored dataset, copied into another store under the same id. Raises `InputError` if it cannot be."""
    with working_folder(store) as work, writing(store):
        shutil.copytree(dataset.root, work, dirs_exist_ok=True)
        return place(load_dataset(work), store)


def tidy(store: Path) -> None:
    """Removes what imports left in a store that died; nothing happens where there is no store or no lock."""
    with contextlib.suppress(OSError), _locked(store):
        _tidy(store)


def _complete(folder: Path) -> bool:
    try:
        load_dataset(folder)
    except InputError:
        return False
    return True


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder, which ends with its process. Where there are no locks, nothing is tidied up."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _tidy(store: Path) -> None:
    for folder in store.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)

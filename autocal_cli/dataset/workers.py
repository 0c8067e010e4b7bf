"""Where the work is done: threads, which decode ahead, processes of their own and those that torchrun starts, and the
metrics' device.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import platform
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any, TypeVar

from autocal_cli.errors import AutocalError

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4  # items under way or waiting, a worker
MOST_WORKERS = 16
POLL_SECONDS = 0.5  # a wait without end cannot be interrupted on Windows


def default_workers() -> int:
    """One a usable core, 16 at most."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(usable or 1, MOST_WORKERS)


@contextmanager
def look_ahead(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[Iterator[R]]:
    """`with look_ahead(f, items, 4) as results`: f of each item, in order.

    Leaving the block early drops what has not begun. An exception (Ctrl-C) does not wait for what has.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="autocal")
    coming = iter(items)

    def in_order() -> Iterator[R]:
        waiting = deque(pool.submit(function, item) for item in islice(coming, AHEAD * workers))
        while waiting:
            future = waiting.popleft()
            while not future.done():
                wait([future], POLL_SECONDS)
            result = future.result()
            waiting.extend(pool.submit(function, item) for item in islice(coming, 1))
            yield result

    try:
        yield in_order()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown(wait=True, cancel_futures=True)


# Small images are hundreds of short steps of NumPy, each of which gives the interpreter lock away: two threads took
# twice as long as one (benchmarks/RESULTS.md). So where there are many images, each thread has a process to read them.

MANY_IMAGES = 500  # from which starting processes pays: 0.3 s on Linux, where as many tiles take two threads 1 s
BLOCK = 8  # images that a process is given at once

_READY = b"autocal reads\n"  # a line before the answers: what starts with Python may have printed others
_SERVE = "import sys; sys.path[:] = sys.argv[1:]; from autocal_cli.dataset.workers import serve; serve()"


@contextmanager
def in_processes(function: Callable[[T], R]) -> Iterator[Callable[[T], R]]:
    """`with in_processes(f) as g`: g(x) is f(x), computed in a process of the thread that calls it.

    f, x and f(x) are pickled. The processes end with the block, or with this process, whatever ends that; Ctrl-C is for
    this one alone. Calling g raises AutocalError where its process has died, or cannot be started.
    """
    of_thread, started = threading.local(), list[subprocess.Popen[bytes]]()

    def call(item: T) -> R:
        process: Any = getattr(of_thread, "process", None)
        try:
            if process is None:
                process = of_thread.process = _start()
                started.append(process)
                if _READY not in process.stdout:  # which reads up to it
                    raise EOFError
                pickle.dump(function, process.stdin)
            pickle.dump(item, process.stdin)
            process.stdin.flush()
            result: R = pickle.load(process.stdout)
        except (EOFError, OSError) as error:
            ended = f"ended (exit code {process.wait()})" if process else f"cannot be started ({error})"
            message = f"A process that reads images {ended}; memory may have run out."
            raise AutocalError(message, fix="Try --workers 1, which starts none.") from None
        return result

    try:
        yield call
    finally:
        for process in started:
            process.kill()
            with contextlib.suppress(OSError), process:  # which closes its pipes and waits for it
                pass


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "ignore", "-c", _SERVE, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # Windows's way to say the same
    )


def serve() -> None:
    """In a process that `in_processes` started: computes what it is asked for until nobody asks any more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    answers.write(b"\n" + _READY)
    answers.flush()
    with contextlib.suppress(EOFError, OSError):
        function = pickle.load(sys.stdin.buffer)
        while True:
            pickle.dump(function(pickle.load(sys.stdin.buffer)), answers)
            answers.flush()
    os._exit(0)  # nobody is there whom the rest of an answer could reach


# Several processes that scan one dataset together, as `torchrun` starts them. Each block of the sample is shared out,
# then every rank gets what all made of it, in the order of the sample: so all see what one process alone sees, and stop
# at the same image.

_NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class Ranks:
    """One of `count` processes, `rank` from 0. Alone it takes everything and exchanges nothing."""

    rank: int = 0
    count: int = 1

    def share(self, items: Iterable[T], block: int) -> Iterator[T]:
        """The items that this rank takes: of each `block` of them every `count`-th."""
        return (item for place, item in enumerate(items) if place % block % self.count == self.rank)

    def together(self, mine: Iterator[R], items: int, block: int) -> Iterator[R]:
        """What all ranks made of their shares of so many `items`, in the order of the items. All ranks iterate."""
        if self.count == 1:
            yield from mine
            return
        from torch.distributed import all_gather_object

        for start in range(0, items, block):
            shares: list[Any] = [None] * self.count
            all_gather_object(shares, list(islice(mine, len(range(self.rank, min(block, items - start), self.count)))))
            turns = chain.from_iterable(zip_longest(*shares, fillvalue=_NOTHING))
            yield from (item for item in turns if item is not _NOTHING)


def started_by_torchrun() -> bool:
    """Whether this process is one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def all_ranks() -> Iterator[Ranks]:
    """The processes that torchrun started; alone where it did not. Objects travel by gloo, whatever the device."""
    if not started_by_torchrun():
        yield Ranks()
        return
    import torch.distributed as dist  # loads torch, which a process alone does not need

    dist.init_process_group("gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


# Which device computes the metrics. torch is imported only where that pays, or where somebody asks for it.

CPU = "cpu"

# What the driver of an accelerator leaves in the file system: CUDA, CUDA in WSL (dxg), ROCm (kfd).
DRIVER_FILES = ("/dev/nvidia0", "/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg", "/dev/kfd")
WINDOWS_DRIVER = "System32/nvcuda.dll"

# Decoding is the CPU's work on every device, so an accelerator saves the metrics alone.
METRICS_SECONDS = 0.0009  # of one core for an image, benchmarks/RESULTS.md, "Speed of the scan"
TORCH_SECONDS = 4.0  # import of torch (2.7 s measured) and a first call of CUDA; chosen, untested


@dataclass(frozen=True, slots=True)
class Device:
    """A device by torch's name for it (`cpu`, `cuda:0`, `mps`), and why it was chosen, where nobody named it."""

    name: str = CPU
    reason: str = ""

    @property
    def is_cpu(self) -> bool:
        return self.name == CPU


def choose_device(name: str | None, images: int, workers: int) -> Device:
    """The named device, or the one on which so many `images` are measured first by so many `workers`.

    Of several CUDA devices the processes that torchrun started take one each in turn. Raises AutocalError for a named
    device that is not here.
    """
    if name is not None:
        check_device(name)
        return Device(name)
    if not started_by_torchrun():
        if not accelerator_present():
            return Device(CPU, "no accelerator here")
        if images * METRICS_SECONDS / workers < TORCH_SECONDS:
            return Device(CPU, f"it measures {images:,} images before torch has started")
    available = available_devices()
    if available[0] == CPU:
        return Device(CPU, "torch finds no accelerator")
    kind = available[0].partition(":")[0]
    alike = [one for one in available if one.partition(":")[0] == kind]
    return Device(alike[int(os.environ.get("LOCAL_RANK", "0")) % len(alike)])


def check_device(name: str | None) -> None:
    """Raises AutocalError for a named device that is not here."""
    if name not in (None, CPU):
        available = available_devices()
        if name not in available and f"{name}:0" not in available:
            raise AutocalError(f"device {name!r} is not available here.", fix=f"Available: {', '.join(available)}.")


def accelerator_present() -> bool:
    """Whether the driver of an accelerator is installed here, by its files; torch is not asked."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"  # Metal
    if sys.platform == "win32":
        return Path(os.environ.get("SYSTEMROOT", "C:/Windows"), WINDOWS_DRIVER).exists()
    return any(Path(file).exists() for file in DRIVER_FILES)


def available_devices() -> list[str]:
    """The devices that torch finds, best first: `cuda:0`, ..., `mps`, `cpu`."""
    import torch

    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, CPU]

"""Runs the processes of a small installation: starts, prefixes their logs, restarts, stops."""

import asyncio
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kallglot_site import executors
from kallglot_site.operator_errors import EXIT_CODE

Say = Callable[[str], None]

_LONGEST_BACKOFF = 30.0  # seconds
_STABLE = 60.0  # seconds alive after which a crash counts as the first again
_HOPELESS = 3  # crashes before the first success, after which it gives up
_PENDING_LINES = 10_000
_LONGEST_LINE = 65_536  # bytes; longer ones are cut into several


class StartupFailed(Exception):
    """A process ended again and again before the installation was ready once."""


class Lines:
    """Log lines of all processes on standard error, written by a thread of its own.

    A stopped terminal must not block calls: lines that it does not take are dropped and counted.
    """

    def __init__(self) -> None:
        self._queue: queue.Queue[bytes | None] = queue.Queue(_PENDING_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="log lines", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=1)
        self._thread.join(timeout=1)

    def _write(self) -> None:
        while (line := self._queue.get()) is not None:
            if dropped := self._dropped:
                self._dropped = 0
                line = f"({dropped} log lines dropped: output was too slow)\n".encode() + line
            try:
                sys.stderr.buffer.write(line)
                if self._queue.empty():
                    sys.stderr.buffer.flush()
            except OSError:
                continue  # the terminal is gone, but calls go on


@dataclass
class Child:
    """One process. ``grace`` is how many seconds it gets to stop by itself.

    ``niceness`` lowers its priority, as nice(1) does, from its first instruction on.
    """

    name: str
    command: Sequence[str]
    grace: float
    niceness: int = 0
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)


class Supervisor:
    """Keeps ``children`` running until ``stop``; they stop in the order given.

    ``prefix`` puts each process's name before its lines (off when lines are JSON). ``first_pause``
    is how many seconds pass before the first restart; it doubles with every crash.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        say: Say,
        prefix: bool = True,
        first_pause: float = 1.0,
    ) -> None:
        self._children = children
        self._say = say
        self._first_pause = first_pause
        self._width = max(len(child.name) for child in children) if prefix else 0
        self._lines = Lines()
        self._stopping = asyncio.Event()
        self.worked = False
        """Set it when the installation has been ready once: from then on crashes never end it."""

    async def run(self) -> None:
        """Run until ``stop`` is called. Raises ``StartupFailed``. Leaves no process behind."""
        keepers = [asyncio.create_task(self._keep(child)) for child in self._children]
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([*keepers, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stopping.set()
            for child in self._children:
                await self._end(child)
            # End the tasks that wait before a restart.
            stopping.cancel()
            outcomes = await asyncio.gather(*keepers, return_exceptions=True)
            self._lines.close()
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def stop(self) -> None:
        """Stop all, gracefully; called again, at once."""
        if self._stopping.is_set():
            for child in self._children:
                _kill_group(child.process)
        self._stopping.set()

    async def _keep(self, child: Child) -> None:
        # Not a retry library: the pauses end when ``stop`` is called, and a long run resets them.
        crashes = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._run_once(child)
            if self._stopping.is_set():
                return
            crashes = 1 if time.monotonic() - started > _STABLE else crashes + 1
            if not self.worked and code == EXIT_CODE:
                raise StartupFailed(f"{child.name} cannot start")
            if not self.worked and crashes >= _HOPELESS:
                raise StartupFailed(f"{child.name} ended {crashes} times with {_reason(code)}")
            pause = min(self._first_pause * 2.0 ** (crashes - 1), _LONGEST_BACKOFF)
            self._say(f"{child.name} ended with {_reason(code)}; starting it again in {pause:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _run_once(self, child: Child) -> int:
        process = subprocess.Popen(  # noqa: ASYNC220, S603 - returns at once; our own commands
            child.command,
            stdin=subprocess.PIPE,  # closes when this process ends: see supervised.py
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Its own group: Ctrl-C reaches only us, and we can end its child processes with it. Not
            # a session, because Linux ignores niceness between sessions (autogroups, sched(7)).
            process_group=0,
        )
        child.process = process
        _make_nice(process, child.niceness)
        if self._stopping.is_set():
            process.terminate()
        # Threads, not asyncio's pipes, which report an exit only when the last process that
        # inherited the pipe has ended too.
        reading = threading.Thread(
            target=self._read, args=(child.name, process), name=f"{child.name} log", daemon=True
        )
        reading.start()
        code = await executors.CHILDREN.run(process.wait)
        _kill_group(process)
        assert process.stdin is not None
        process.stdin.close()
        await executors.CHILDREN.run(reading.join, 1)
        return code

    def _read(self, name: str, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        before = f"{name:<{self._width}} | ".encode() if self._width else b""
        with process.stdout as output:
            while line := output.readline(_LONGEST_LINE):
                if line.strip():
                    self._lines.put(before + line.removesuffix(b"\n") + b"\n")

    async def _end(self, child: Child) -> None:
        process = child.process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            await executors.CHILDREN.run(process.wait, child.grace)
        except subprocess.TimeoutExpired:
            self._say(f"{child.name} did not stop within {child.grace:g} s; killing it")
        _kill_group(process)


def _make_nice(process: "subprocess.Popen[bytes]", niceness: int) -> None:
    if niceness:
        target = min(19, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
        with contextlib.suppress(OSError):  # it has ended already, or it may not be changed
            os.setpriority(os.PRIO_PROCESS, process.pid, target)


def _kill_group(process: "subprocess.Popen[bytes] | None") -> None:
    """Ends the process and the helpers it started, if any are left."""
    if process is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

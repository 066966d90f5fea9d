"""The supervisor, with small real processes."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from kallglot_site.supervisor import Child, StartupFailed, Supervisor

ROOT = Path(__file__).parents[2]
TIMEOUT = 20
WAITING = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))"


def python(name: str, code: str, grace: float = 10) -> Child:
    return Child(name, [sys.executable, "-c", code], grace)


def until_stopped(said: str = "up") -> str:
    """A program that prints a line and then waits for SIGTERM."""
    return f"{WAITING}; print({said!r}, flush=True); signal.pause()"


class Said:
    """The supervisor's messages, and a way to wait for one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._news = asyncio.Event()

    def __call__(self, text: str) -> None:
        self.lines.append(text)
        self._news.set()

    async def wait_for(self, text: str, times: int = 1) -> str:
        """The latest line with that text, once there have been so many."""
        async with asyncio.timeout(TIMEOUT):
            while True:
                lines = [line for line in self.lines if text in line]
                if len(lines) >= times:
                    return lines[-1]
                self._news.clear()
                await self._news.wait()


def lines_of(path: Path, count: int = 1) -> list[str]:
    """The lines of a file that processes are writing, once there are so many."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        text = path.read_text() if path.exists() else ""
        if text.count("\n") >= count:
            return text.split("\n")[:-1]
        time.sleep(0.02)
    raise AssertionError(f"{path} has not {count} lines after {TIMEOUT} s")


async def appear(path: Path, count: int = 1) -> list[str]:
    return await asyncio.to_thread(lines_of, path, count)


def writes(path: Path, then: str = "signal.pause()") -> str:
    """A program that appends its process id to a file, one line each start."""
    return f"{WAITING}; import os; open({str(path)!r}, 'a').write(f'{{os.getpid()}}\\n'); {then}"


async def test_a_crashed_process_is_restarted(tmp_path):
    said = Said()
    once = f"sys.exit(3) if open({str(tmp_path / 'ids')!r}).read().count(chr(10)) < 2 else 0"
    supervisor = Supervisor(
        [python("gateway", writes(tmp_path / "ids", f"{once}; signal.pause()"))],
        say=said,
        first_pause=0.01,
    )
    running = asyncio.create_task(supervisor.run())
    assert "gateway ended with exit code 3" in await said.wait_for("gateway ended")
    await appear(tmp_path / "ids", 2)
    supervisor.stop()
    await running


async def test_crashes_before_readiness_end_everything_with_the_reason(tmp_path):
    supervisor = Supervisor(
        [python("worker", writes(tmp_path / "worker")), python("gateway", "raise SystemExit(3)")],
        say=Said(),
        first_pause=0.01,
    )
    with pytest.raises(StartupFailed, match="gateway ended 3 times with exit code 3"):
        await supervisor.run()
    for process in (
        (tmp_path / "worker").read_text().split() if (tmp_path / "worker").exists() else []
    ):
        assert not psutil.pid_exists(int(process))


async def test_crashes_after_readiness_are_always_restarted(tmp_path):
    said = Said()
    supervisor = Supervisor([python("gateway", "raise SystemExit(2)")], say=said, first_pause=0.001)
    supervisor.worked = True
    running = asyncio.create_task(supervisor.run())
    await said.wait_for("gateway ended", 4)
    supervisor.stop()
    await running


async def test_a_process_has_the_lower_priority_that_it_was_given(tmp_path):
    report = f"open({str(tmp_path / 'nice')!r}, 'w').write(f'{{os.nice(0)}} {{os.getsid(0)}}\\n')"
    # The supervisor sets it from outside, so the child waits for it.
    wanted = min(19, os.nice(0) + 5)
    wait = f"[time.sleep(0.01) for _ in iter(lambda: os.nice(0), {wanted})]"
    child = python("worker", f"import os, signal, time; {wait}; {report}; signal.pause()")
    child.niceness = 5
    supervisor = Supervisor([child], say=Said())
    running = asyncio.create_task(supervisor.run())
    (line,) = await appear(tmp_path / "nice")
    # In the same session: Linux compares niceness only there.
    assert line == f"{wanted} {os.getsid(0)}"
    supervisor.stop()
    await running


async def test_a_child_process_that_holds_the_log_open_delays_nothing(tmp_path):
    helper = "import time; time.sleep(600)"
    leaves = (
        "import subprocess, sys\n"
        f"helper = subprocess.Popen([sys.executable, '-c', {helper!r}], start_new_session=True)\n"
        f"open({str(tmp_path / 'ids')!r}, 'a').write(f'{{helper.pid}}\\n')\n"
        "sys.exit(1)"
    )
    supervisor = Supervisor([python("worker", leaves)], say=Said(), first_pause=0.01)
    with pytest.raises(StartupFailed):
        await supervisor.run()
    for line in lines_of(tmp_path / "ids", 3):
        os.kill(int(line), signal.SIGKILL)


async def test_processes_stop_in_order(tmp_path):
    log = tmp_path / "log"
    program = (
        "import signal, sys\n"
        f"def stop(*_): open({str(log)!r}, 'a').write('{{0}}\\n'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        f"open({str(tmp_path)!r} + '/{{0}}', 'w').write('up\\n')\n"
        "signal.pause()"
    )
    names = ("gateway", "worker")
    supervisor = Supervisor([python(n, program.format(n)) for n in names], say=Said())
    running = asyncio.create_task(supervisor.run())
    for name in names:
        await appear(tmp_path / name)
    supervisor.stop()
    await running
    assert log.read_text().split() == ["gateway", "worker"]


async def test_a_process_that_does_not_stop_in_time_is_killed_with_its_children(tmp_path):
    helper = "import time; time.sleep(600)"
    stubborn = (
        "import os, signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"helper = subprocess.Popen([sys.executable, '-c', {helper!r}])\n"
        f"open({str(tmp_path / 'ids')!r}, 'w').write(f'{{os.getpid()}} {{helper.pid}}\\n')\n"
        "helper.wait()"
    )
    said = Said()
    supervisor = Supervisor([python("gateway", stubborn, grace=0.1)], say=said)
    running = asyncio.create_task(supervisor.run())
    ids = [int(text) for line in await appear(tmp_path / "ids") for text in line.split()]
    supervisor.stop()
    await running
    assert any("gateway did not stop within" in line for line in said.lines)
    gone(ids)


async def test_log_lines_have_the_name_of_their_process(capfdbinary, tmp_path):
    long = "x" * 70_000
    code = (
        f"{WAITING}; print('hello'); print(); print({long!r});"
        "print('no newline', end='', flush=True);"
        f"open({str(tmp_path / 'done')!r}, 'w').write('yes\\n'); signal.pause()"
    )
    supervisor = Supervisor(
        [python("gateway", code), python("worker", until_stopped())], say=Said()
    )
    running = asyncio.create_task(supervisor.run())
    await appear(tmp_path / "done")
    supervisor.stop()
    await running
    written = capfdbinary.readouterr().err
    assert b"gateway | hello\n" in written
    assert b"gateway | no newline\n" in written
    assert written.count(b"x") == len(long)
    assert all(line.strip() for line in written.replace(b"gateway |", b"").splitlines())


def test_children_end_when_their_supervisor_is_killed(tmp_path):
    child = (
        f"import os, signal, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from kallglot_site.supervised import end_with_supervisor\n"
        "end_with_supervisor(grace=5)\n"
        f"open({str(tmp_path / 'ids')!r}, 'w').write(f'{{os.getpid()}}\\n')\n"
        "signal.pause()"
    )
    program = (
        f"import asyncio, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from kallglot_site.supervisor import Child, Supervisor\n"
        f"child = Child('gateway', [sys.executable, '-c', {child!r}], 5)\n"
        "asyncio.run(Supervisor([child], say=print).run())"
    )
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL) as process:
        try:
            ids = [int(line) for line in lines_of(tmp_path / "ids")]
        finally:
            process.send_signal(signal.SIGKILL)
    gone(ids)


def gone(ids: list[int]) -> None:
    """Fails unless these processes end soon."""
    processes = []
    for number in ids:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(number))
    _, alive = psutil.wait_procs(processes, timeout=TIMEOUT)
    for process in alive:
        os.kill(process.pid, signal.SIGKILL)
    assert not alive


async def test_an_operator_error_at_the_start_is_not_repeated(tmp_path):
    runs = tmp_path / "runs"
    supervisor = Supervisor(
        [python("gateway", f"open({str(runs)!r}, 'a').write('x'); raise SystemExit(2)")],
        say=Said(),
        first_pause=0.01,
    )
    with pytest.raises(StartupFailed, match="gateway cannot start"):
        await supervisor.run()
    assert runs.read_text() == "x"

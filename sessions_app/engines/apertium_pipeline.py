"""One language pair of Apertium: the programs of its mode, connected by pipes and kept running.

With ``-z`` every program flushes at a NUL, so that one sentence after the other goes through. The
text is escaped as ``apertium-destxt`` does it.

Sources: https://wiki.apertium.org/wiki/Apertium_stream_format and /wiki/Daemon (NUL flush).
"""

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kallglot_site import executors
from sessions_app.engines import metrics
from sessions_app.engines.base import EngineMisconfigured, EngineTimeout, EngineUnavailable
from sessions_app.engines.iso639 import two_letter_code

_NICENESS: Final = 5
_LOAD_TIMEOUT: Final = 20.0  # s for the first sentence
_SENTENCE_TIMEOUT: Final = 5.0  # s
_LONGEST_ANSWER: Final = 256 * 1024  # bytes
_SPECIAL: Final = re.compile(r"([\[\]{}^$/\\@<>])")

_FLUSHING: Final = frozenset(
    {
        "apertium-anaphora",
        "apertium-interchunk",
        "apertium-posttransfer",
        "apertium-postchunk",
        "apertium-pretransfer",
        "apertium-tagger",
        "apertium-transfer",
        "cg-proc",
        "lrx-proc",
        "lsx-proc",
        "lt-proc",
        "rtx-proc",
    }
)
"""Programs that flush at a NUL with ``-z``. A mode with another program is not used."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A direction of a language pair. ``stages``: the programs with their arguments."""

    name: str
    stages: tuple[tuple[str, ...], ...]


def find_modes(directory: Path) -> dict[tuple[str, str], Mode]:
    """The usable modes in ``directory``, by source and target as ISO 639-1 codes.

    A mode is usable if its programs are installed and flush at a NUL.
    """
    found: dict[str, bool] = {}
    modes: dict[tuple[str, str], Mode] = {}
    # The name without a variant comes first: spa-eng before spa-eng_US.
    for path in sorted(directory.glob("*-*.mode"), key=lambda path: (len(path.stem), path.stem)):
        source, _, target = path.stem.partition("-")
        pair = (_code(source), _code(target))
        mode = _read_mode(path)
        for program, *_ in mode.stages if mode else ():
            if program not in found:
                found[program] = shutil.which(program) is not None
        runs = mode is not None and all(found[program] for program, *_ in mode.stages)
        if mode is not None and runs and pair[0] and pair[1] and pair[0] != pair[1]:
            modes.setdefault((pair[0], pair[1]), mode)
    return modes


def _code(name: str) -> str:
    return two_letter_code(name.partition("_")[0]) or ""


def _read_mode(path: Path) -> Mode | None:
    try:
        pipeline = path.read_text().strip()
        stages = [
            tuple(_argument(word) for word in shlex.split(stage) if word != "$2")
            for stage in pipeline.split("|")
        ]
    except (OSError, ValueError):
        return None
    usable = all(stage and Path(stage[0]).name in _FLUSHING for stage in stages)
    return Mode(path.stem, tuple(stages)) if usable else None


def _argument(word: str) -> str:
    return "-n" if word == "$1" else word  # generate without marks of unknown words


class ApertiumPipeline:
    """The running programs of one mode. Belongs to one event loop."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._turn = asyncio.Lock()
        self._running: _Processes | None = None
        self._started_before = False
        self._closed = False

    async def translate(self, text: str) -> str:
        """One sentence or several. Raises ``EngineError``; programs that failed are replaced."""
        async with self._turn:
            if self._closed:
                raise EngineUnavailable(f"Apertium's {self._mode.name} was closed")
            seconds = _SENTENCE_TIMEOUT
            if self._running is None:
                self._running = await self._start()
                seconds = _LOAD_TIMEOUT
            try:
                async with asyncio.timeout(seconds):
                    answer = await self._running.exchange(_escaped(text))
            except TimeoutError:
                await self._stop()
                raise EngineTimeout(f"Apertium's {self._mode.name} hung and was killed") from None
            except (OSError, EOFError, asyncio.LimitOverrunError) as error:
                await self._stop()
                raise EngineUnavailable(f"Apertium's {self._mode.name} died") from error
            except BaseException:
                await self._stop()
                raise
            return _unescaped(answer)

    async def close(self) -> None:
        """Kill the programs; a sentence in work fails with ``EngineUnavailable``."""
        self._closed = True
        await self._stop()

    async def close_when_idle(self) -> None:
        """Kill the programs after the sentence in work."""
        self._closed = True
        async with self._turn:
            await self._stop()

    async def _start(self) -> "_Processes":
        if self._started_before:
            metrics.RESTARTS.labels(f"apertium-{self._mode.name}").inc()
        self._started_before = True
        return await _Processes.started(self._mode)

    async def _stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running.kill()


class _Processes:
    """The programs, and both ends of their chain of pipes."""

    def __init__(
        self,
        programs: list[subprocess.Popen[bytes]],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        output: asyncio.ReadTransport,
    ) -> None:
        self._programs = programs
        self._reader = reader
        self._writer = writer
        self._output = output
        self._sent = 0

    @classmethod
    async def started(cls, mode: Mode) -> "_Processes":
        loop = asyncio.get_running_loop()
        programs = await executors.ENGINES.run(_spawn, mode)
        reader = asyncio.StreamReader(limit=_LONGEST_ANSWER)
        output, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), programs[-1].stdout
        )
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.streams.FlowControlMixin(), programs[0].stdin
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        return cls(programs, reader, writer, output)

    async def exchange(self, text: str) -> str:
        """Raises OSError, EOFError or LimitOverrunError."""
        self._sent += 1
        # The period ends the sentence, as apertium-destxt has it. What is in brackets comes through
        # as it is: programs whose predecessor has died still send a NUL, but not this number.
        end = f"[{self._sent}]"
        self._writer.write(f"{_escaped(text)}.{end}\0".encode(errors="replace"))
        await self._writer.drain()
        answer = (await self._reader.readuntil(b"\0"))[:-1].decode(errors="replace").strip()
        if not answer.endswith(end):
            raise EOFError
        return answer.removesuffix(end).removesuffix(".")

    async def kill(self) -> None:
        if not self._writer.transport.is_closing():  # it closes by itself when a program dies
            self._writer.transport.abort()
        self._output.close()
        await executors.ENGINES.run(_kill, self._programs)


def _spawn(mode: Mode) -> list[subprocess.Popen[bytes]]:
    """Raises ``EngineMisconfigured`` if a program is not installed."""
    nice = [shutil.which("nice") or "nice", "-n", str(_NICENESS)]
    programs: list[subprocess.Popen[bytes]] = []
    for stage in mode.stages:
        program = shutil.which(stage[0])
        if program is None:
            _kill(programs)
            raise EngineMisconfigured(f"Apertium's program {stage[0]} is not installed")
        before = programs[-1].stdout if programs else subprocess.PIPE
        programs.append(
            subprocess.Popen(  # noqa: S603 - a program and arguments of an installed package
                [*nice, program, "-z", *stage[1:]],
                stdin=before,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # it may hold spoken words
                start_new_session=True,  # Ctrl-C is the parent's to handle
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )
        )
        if len(programs) > 1 and programs[-2].stdout is not None:
            programs[-2].stdout.close()  # or the end of one program would not end the next
    return programs


def _kill(programs: list[subprocess.Popen[bytes]]) -> None:
    for program in programs:
        with contextlib.suppress(ProcessLookupError):
            program.send_signal(signal.SIGKILL)
    for program in programs:
        program.wait()


def _escaped(text: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text)
    return _SPECIAL.sub(r"\\\1", plain)


def _unescaped(answer: str) -> str:
    return re.sub(r"\\(.)", r"\1", answer).strip()

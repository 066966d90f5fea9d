"""Apertium's own programs, and modes that a test writes."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from sessions_app.engines.apertium_pipeline import find_modes
from sessions_app.engines.base import (
    EngineMisconfigured,
    EngineTimeout,
    EngineUnavailable,
    TranslationRequest,
)
from sessions_app.engines.translators import apertium
from sessions_app.engines.translators.apertium import ApertiumTranslator
from tests.requirements import needs_apertium

pytestmark = [pytest.mark.engine, needs_apertium]

ORDER = TranslationRequest("Where is my order?", "en", "es")


_others: set[int] = set()


@pytest.fixture(autouse=True)
def _ignore_programs_of_others() -> None:
    """A server that other tests keep in this process may have started some."""
    _others.clear()
    _others.update(program.pid for program in programs())


@pytest.fixture
async def translator() -> AsyncIterator[ApertiumTranslator]:
    engine = ApertiumTranslator()
    yield engine
    await engine.close()


def mode(directory: Path, name: str, pipeline: str) -> None:
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.mode").write_text(pipeline)


def programs() -> list[psutil.Process]:
    """Apertium's programs that this process has started in this test and that run."""
    names = ("lt-proc", "apertium-", "lrx-proc", "cg-proc")
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if child.pid not in _others
        and child.status() != psutil.STATUS_ZOMBIE
        and child.name().startswith(names)
    ]


async def test_english_and_spanish_are_translated(translator: ApertiumTranslator) -> None:
    house = TranslationRequest("The house is big.", "en", "es")
    assert await translator.translate(house) == "La casa es grande."
    casa = TranslationRequest("La casa es grande.", "es", "en")
    assert await translator.translate(casa) == "The house is big."


async def test_a_word_that_it_does_not_know_comes_through_without_marks(
    translator: ApertiumTranslator,
) -> None:
    answer = await translator.translate(TranslationRequest("The foobarium is big.", "en", "es"))
    assert "foobarium" in answer
    assert not set("*#@") & set(answer)


async def test_signs_of_the_text_that_look_like_marks_stay(translator: ApertiumTranslator) -> None:
    answer = await translator.translate(TranslationRequest("Press *9 and #3 now.", "en", "es"))
    assert "*9" in answer
    assert "#3" in answer


async def test_the_programs_are_kept_for_the_next_sentence(translator: ApertiumTranslator) -> None:
    await translator.translate(ORDER)
    first = {process.pid for process in programs()}
    await translator.translate(ORDER)
    assert {process.pid for process in programs()} == first


@pytest.mark.parametrize("which", [0, 3, -1])
async def test_a_program_that_dies_is_replaced(translator: ApertiumTranslator, which: int) -> None:
    expected = await translator.translate(ORDER)
    victim = programs()[which]
    victim.kill()
    assert await translator.translate(ORDER) == expected


async def test_a_program_that_hangs_is_killed_at_the_deadline(
    translator: ApertiumTranslator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions_app.engines.apertium_pipeline._SENTENCE_TIMEOUT", 0.2)
    expected = await translator.translate(ORDER)
    hanging = programs()
    os.kill(hanging[0].pid, signal.SIGSTOP)
    with pytest.raises(EngineTimeout):
        await translator.translate(ORDER)
    assert not any(process.is_running() for process in hanging)
    assert await translator.translate(ORDER) == expected


async def test_at_most_so_many_pipelines_are_kept() -> None:
    engine = ApertiumTranslator(pipelines=1)
    try:
        await engine.translate(ORDER)
        first = len(programs())
        await engine.translate(TranslationRequest("La casa", "es", "en"))
        assert len(programs()) <= first + 1
        assert await engine.translate(ORDER)
    finally:
        await engine.close()
    assert programs() == []


async def test_closing_leaves_no_program_and_a_later_call_starts_anew() -> None:
    engine = ApertiumTranslator()
    await engine.translate(ORDER)
    waiting = asyncio.create_task(engine.translate(ORDER))
    await asyncio.sleep(0)
    await engine.close()
    await asyncio.wait([waiting], timeout=10)
    await engine.close()
    assert programs() == []


async def test_no_program_outlives_a_process_that_was_killed() -> None:
    script = (
        "import asyncio, psutil\n"
        "from sessions_app.engines.base import TranslationRequest\n"
        "from sessions_app.engines.translators.apertium import ApertiumTranslator\n"
        "async def main():\n"
        "    await ApertiumTranslator().translate(TranslationRequest('house', 'en', 'es'))\n"
        "    print(*(child.pid for child in psutil.Process().children()), flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    line = await asyncio.wait_for(parent.stdout.readline(), 60)
    started = [psutil.Process(int(pid)) for pid in line.split()]
    assert started
    parent.kill()
    await parent.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, started, 30)
    assert alive == []


def test_three_letter_names_become_two_letter_codes(tmp_path: Path) -> None:
    for name in ("spa-cat", "nob-nno", "es-pt", "es-pt_BR", "spa-eng_US", "eco-fr-es", "spa-ast"):
        mode(tmp_path, name, "lt-proc 'a.bin' | apertium-pretransfer")
    modes = find_modes(tmp_path)
    assert set(modes) == {("es", "ca"), ("nb", "nn"), ("es", "pt"), ("es", "en")}
    assert modes["es", "pt"].name == "es-pt"


@pytest.mark.parametrize(
    "pipeline", ["lt-proc a | python3 -c pass", "no-such-program", "", "lt-proc 'a"]
)
def test_a_mode_whose_programs_are_unknown_or_missing_is_not_used(
    tmp_path: Path, pipeline: str
) -> None:
    mode(tmp_path, "eng-spa", pipeline)
    assert find_modes(tmp_path) == {}


async def test_a_pair_that_does_not_work_leaves_the_others(tmp_path: Path) -> None:
    working = (apertium.MODES / "eng-spa.mode").read_text()
    mode(tmp_path, "eng-spa", working)
    mode(tmp_path, "eng-cat", "lt-proc '/nowhere/eng-cat.bin'")
    engine = ApertiumTranslator(tmp_path)
    try:
        await engine.start()
        assert await engine.translate(ORDER)
        with pytest.raises(EngineUnavailable):
            await engine.translate(TranslationRequest("house", "en", "ca"))
    finally:
        await engine.close()


async def test_without_a_pair_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(EngineMisconfigured, match="apt-get install apertium-en-es"):
        await ApertiumTranslator(tmp_path).start()

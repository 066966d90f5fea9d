"""Live streams on one gateway process, compared with a stock Channels consumer that only decodes.

    python benchmarks/stream.py --server uvicorn
    python benchmarks/stream.py --streams 100 --talkers 12 --audio speech/

Every stream sends a mu-law JSON frame of 100 ms ten times a second and a ping every second. A pong
is sent after the frames before it were handled, so its latency is also theirs. CPU is that of
the server process alone during the measurement; the speech engine's processes are counted
separately. The streams run in a separate process.

Talkers repeat the files of ``--audio`` with pauses of two seconds. Each talker starts with another
file and a little later than the one before, so that they do not all speak at the same moment.
"""

import argparse
import base64
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).resolve().parent.parent
SILENT_FRAME = base64.b64encode(b"\xff" * 800).decode()
AUDIO_SUFFIXES = {".wav", ".flac", ".mp3", ".ogg", ".m4a"}
STAGGER = 13  # frames
WARMUP = 12.0
"""Seconds before the measurement, while sessions start (rows, events, webhooks)."""


def environment(data_dir: str, options: argparse.Namespace) -> dict[str, str]:
    return {
        **os.environ,
        "KALLGLOT_DATA_DIR": data_dir,
        "KALLGLOT_MAX_STREAMS": str(options.streams + 10),
        "KALLGLOT_LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(ROOT),
    }


def prepare(streams: int, port: int) -> list[str]:
    """Create a database with sessions. Returns the address of each, with its token."""
    import django

    django.setup()
    from django.core.management import call_command

    from kallglot_site.accounts.models import Organization
    from sessions_app.models import Session
    from sessions_app.streaming.wire.tokens import stream_token_issue

    call_command("migrate", verbosity=0)
    organization = Organization.objects.create(name="Benchmark")
    sessions = Session.objects.bulk_create(
        Session(organization=organization, environment="test", mode="transcription")
        for _ in range(streams)
    )
    return [
        f"ws://127.0.0.1:{port}/v1/sessions/{session.id}/connect"
        f"?token={stream_token_issue(session, None)[0]}"
        for session in sessions
    ]


def speech_clips(path: str) -> list[list[str]]:
    """Each file as base64 mu-law frames of 100 ms, followed by two seconds of silence."""
    source = Path(path)
    files = [source]
    if source.is_dir():
        files = sorted(each for each in source.iterdir() if each.suffix in AUDIO_SUFFIXES)
    if not files:
        raise SystemExit(f"{path} holds no audio files")
    return [_frames(each) for each in files]


def _frames(file: Path) -> list[str]:
    import av
    import numpy as np

    from sessions_app.media import encode

    resampler = av.AudioResampler(format="s16", layout="mono", rate=8000)
    with av.open(str(file)) as container:
        pieces = [
            piece.to_ndarray()[0]
            for frame in [*container.decode(audio=0), None]
            for piece in resampler.resample(frame)
        ]
    samples = np.concatenate([*pieces, np.zeros(16000, np.int16)])
    data = encode(samples, "mulaw")
    return [
        base64.b64encode(data[start : start + 800].ljust(800, b"\xff")).decode()
        for start in range(0, len(data), 800)
    ]


def monologue(clips: list[list[str]], talker: int) -> list[str]:
    """The frames that one talker repeats."""
    first = talker % len(clips)
    late = [SILENT_FRAME] * (STAGGER * (talker // len(clips)))
    return late + [frame for clip in clips[first:] + clips[:first] for frame in clip]


@contextmanager
def serving(
    command: list[str], env: dict[str, str], ready: Callable[[], bool]
) -> Iterator[psutil.Process]:
    process = subprocess.Popen(command, env=env, cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 180
        while not ready() and time.monotonic() < deadline:
            if process.poll() is not None:
                raise SystemExit(f"the server ended: {' '.join(command)}")
            time.sleep(0.3)  # it is a process: nothing to await
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).is_success
    except httpx.TransportError:
        return False


def used(process: psutil.Process) -> tuple[float, float]:
    """Seconds of CPU of the process itself and of its children."""
    own = process.cpu_times()
    children = 0.0
    for child in process.children(recursive=True):
        times = child.cpu_times()
        children += times.user + times.system
    return own.user + own.system, children


def resident(process: psutil.Process) -> float:
    """MB of the process and its children."""
    family = [process, *process.children(recursive=True)]
    return float(sum(each.memory_info().rss for each in family)) / 1e6


def measure(process: psutil.Process, plan: dict[str, Any], seconds: float) -> dict[str, Any]:
    client = subprocess.Popen(
        [sys.executable, str(ROOT / "benchmarks" / "stream_client.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(json.dumps({**plan, "warmup": WARMUP, "seconds": seconds}) + "\n")
    client.stdin.flush()
    if client.stdout.readline().strip() != "ready":
        raise SystemExit("the streams could not be opened")
    time.sleep(WARMUP)  # as the client does
    before, since = used(process), time.monotonic()
    memory: list[float] = []
    while (elapsed := time.monotonic() - since) < seconds - 0.5:
        memory.append(resident(process))
        time.sleep(1.0)  # a sample a second
    after = used(process)
    seen: dict[str, Any] = json.loads(client.stdout.readline())
    client.wait(30)
    share = max(1, len(memory) // 5)
    return {
        **seen,
        "cpu": 100 * (after[0] - before[0]) / elapsed,
        "engine_cpu": 100 * (after[1] - before[1]) / elapsed,
        "memory": (statistics.mean(memory[:share]), statistics.mean(memory[-share:])),
    }


def frames_handled(port: int) -> int | None:
    """The gateway's count of frames. A frame that was sent and is not counted was dropped."""
    numbers = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    found = re.search(r"^kallglot_audio_frames_total (\S+)", numbers, re.MULTILINE)
    return int(float(found[1])) if found else None


def report(name: str, seen: dict[str, Any]) -> None:
    pongs = sorted(seen["pongs"]) or [float("nan")]
    p50, p99 = (1000 * pongs[min(len(pongs) - 1, int(share * len(pongs)))] for share in (0.5, 0.99))
    print(
        f"{name:<26} pong p50 {p50:7.1f} ms   p99 {p99:7.1f} ms   "
        f"server CPU {seen['cpu']:5.1f} %   frames {seen['sent']}"
    )
    print(
        f"{'':<26} memory, engine included: {seen['memory'][0]:.0f} MB in the first fifth, "
        f"{seen['memory'][1]:.0f} MB in the last"
    )
    if "handled" in seen:
        print(f"{'':<26} frames dropped {seen['sent'] - seen['handled']}")
    if seen["engine_cpu"] > 1:
        print(f"{'':<26} speech engine CPU {seen['engine_cpu']:.1f} %")
    if seen["closed"] or seen["pings_missing"]:
        print(f"{'':<26} closed {seen['closed'][:10]}, pings unanswered {seen['pings_missing']}")
    if seen["warnings"]:
        print(f"{'':<26} warnings {seen['warnings'][:5]}")
    if seen["finals"]:
        finals = sorted(seen["finals"])
        print(
            f"{'':<26} finals {len(finals)}: end of speech to final "
            f"median {statistics.median(finals):.2f} s, "
            f"p95 {finals[int(0.95 * (len(finals) - 1))]:.2f} s, worst {finals[-1]:.2f} s"
        )
    if seen["client_behind"] > 0.05:
        print(f"{'':<26} note: the client sent frames up to {seen['client_behind']:.2f} s late")


def stock_command(server: str, port: int) -> list[str]:
    application = "benchmarks.stock_consumer:application"
    if server == "daphne":
        return [sys.executable, "-m", "daphne", "-v0", "-p", str(port), application]
    options = ["--no-access-log", "--log-level=warning", "--ws-per-message-deflate=false"]
    return [sys.executable, "-m", "uvicorn", "--port", str(port), *options, application]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--talkers", type=int, default=0, help="streams that speak --audio")
    parser.add_argument("--audio", help="an audio file, or a folder of them")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--server", choices=("daphne", "uvicorn"), default="daphne")
    parser.add_argument("--port", type=int, default=8113)
    parser.add_argument("--no-stock", action="store_true", help="only the gateway")
    options = parser.parse_args()
    if options.talkers and not options.audio:
        parser.error("--talkers needs --audio")
    print(
        f"{options.streams} streams ({options.talkers} talking), 10 frames a second each, "
        f"{options.seconds:.0f} s, {options.server}, {os.cpu_count()} cores"
    )
    with tempfile.TemporaryDirectory(prefix="kallglot-stream-") as data_dir:
        env = environment(data_dir, options)
        os.environ.update(env)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")
        sys.path.insert(0, str(ROOT))
        urls = prepare(options.streams, options.port)
        clips = speech_clips(options.audio) if options.talkers else []
        plan = {
            "urls": urls,
            "silence": [SILENT_FRAME],
            "speech": [monologue(clips, talker) for talker in range(options.talkers)],
        }
        stock: dict[str, Any] = {}
        if not options.no_stock:
            command = stock_command(options.server, options.port)
            with serving(command, env, lambda: accepts(options.port)) as process:
                stock = measure(process, plan, options.seconds)
                report("stock Channels consumer", stock)
        command = [sys.executable, "manage.py", "gateway", f"--port={options.port}"]
        command.append(f"--server={options.server}")
        with serving(command, env, lambda: is_ready(options.port)) as process:
            ours = measure(process, plan, options.seconds)
            ours["handled"] = frames_handled(options.port)
            report("Kallglot gateway", ours)
        if stock:
            print(f"server CPU, gateway to stock consumer: {ours['cpu'] / stock['cpu']:.2f}")


if __name__ == "__main__":
    main()

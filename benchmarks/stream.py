"""Live streams on one gateway process, beside a stock Channels consumer that only decodes.

    python benchmarks/stream.py --server uvicorn
    python benchmarks/stream.py --streams 100 --talkers 12 --audio speech.wav

Every stream sends a mu-law JSON frame of 100 ms ten times a second and a ping every second. The
pong comes behind the frames that were sent before it, so its latency is how late frames are
handled. CPU is that of the server process alone, in the same seconds; the speech engine's own
processes are counted separately. Streams run from processes of their own.
"""

import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).resolve().parent.parent
SILENT_FRAME = base64.b64encode(b"\xff" * 800).decode()
WARMUP = 3.0


def environment(data_dir: str, options: argparse.Namespace) -> dict[str, str]:
    return {
        **os.environ,
        "KALLGLOT_DATA_DIR": data_dir,
        "KALLGLOT_MAX_STREAMS": str(options.streams + 10),
        "KALLGLOT_LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(ROOT),
    }


def prepare(streams: int, port: int) -> list[str]:
    """A database with sessions in it, and the address of each with its token."""
    import django

    django.setup()
    from django.core.management import call_command

    from kallglot_site.accounts.models import Organization
    from sessions_app.models import Session
    from sessions_app.streaming.tokens import stream_token_issue

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


def speech_frames(path: str) -> list[str]:
    """The file as base64 mu-law frames of 100 ms, with two seconds of silence behind it."""
    import av
    import numpy as np

    from sessions_app.streaming.media import encode

    resampler = av.AudioResampler(format="s16", layout="mono", rate=8000)
    with av.open(path) as container:
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


@contextmanager
def serving(command: list[str], env: dict[str, str], ready_url: str) -> Iterator[psutil.Process]:
    process = subprocess.Popen(command, env=env, cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise SystemExit(f"the server ended: {' '.join(command)}")
            try:
                if httpx.get(ready_url, trust_env=False).status_code != 503:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.3)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def used(process: psutil.Process) -> tuple[float, float]:
    """Seconds of CPU of the process itself and of its children."""
    own = process.cpu_times()
    children = 0.0
    for child in process.children(recursive=True):
        times = child.cpu_times()
        children += times.user + times.system
    return own.user + own.system, children


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
    connecting = time.monotonic()
    if client.stdout.readline().strip() != "ready":
        raise SystemExit("the streams could not be opened")
    connected = time.monotonic() - connecting
    time.sleep(WARMUP)
    before, since = used(process), time.monotonic()
    time.sleep(seconds - 0.5)
    after, elapsed = used(process), time.monotonic() - since
    memory = process.memory_info().rss / 1e6
    seen: dict[str, Any] = json.loads(client.stdout.readline())
    client.wait(30)
    return {
        **seen,
        "connect_seconds": connected,
        "cpu": 100 * (after[0] - before[0]) / elapsed,
        "engine_cpu": 100 * (after[1] - before[1]) / elapsed,
        "memory": memory,
    }


def report(name: str, seen: dict[str, Any]) -> None:
    pongs = sorted(seen["pongs"]) or [float("nan")]
    p50, p99 = (1000 * pongs[min(len(pongs) - 1, int(share * len(pongs)))] for share in (0.5, 0.99))
    print(
        f"{name:<26} pong p50 {p50:7.1f} ms   p99 {p99:7.1f} ms   "
        f"server CPU {seen['cpu']:5.1f} %   memory {seen['memory']:5.0f} MB   "
        f"frames {seen['sent']}"
    )
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
        print(f"{'':<26} note: the client itself was up to {seen['client_behind']:.2f} s late")


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
    parser.add_argument("--audio", help="any audio file, played over and over by the talkers")
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
        plan = {
            "urls": urls,
            "silence": [SILENT_FRAME],
            "speech": speech_frames(options.audio) if options.talkers else [],
            "talkers": options.talkers,
        }
        if not options.no_stock:
            command = stock_command(options.server, options.port)
            with serving(command, env, f"http://127.0.0.1:{options.port}/") as process:
                report("stock Channels consumer", measure(process, plan, options.seconds))
        command = [sys.executable, "manage.py", "gateway", f"--port={options.port}"]
        command.append(f"--server={options.server}")
        with serving(command, env, f"http://127.0.0.1:{options.port}/readyz") as process:
            report("Kallglot gateway", measure(process, plan, options.seconds))


if __name__ == "__main__":
    main()

"""Time to assemble the recording of a one-hour dual call, compared with ffmpeg.

    python benchmarks/recordings.py [--minutes 60] [--runs 3]

Input: two telephone tracks (mu-law, 8 kHz, frames of 100 ms) in a spool. Output of both programs: a
stereo mp3 (64 kbit/s, channels apart) and a wav of each party. Ours reads, checks and decodes the
spool, places every frame, encodes, measures peaks and hashes; ffmpeg gets the raw tracks as files.
Each run is a separate process. CPU is user plus system time, memory is the peak. "worker" is the
same work with all of Django loaded, as in Celery; the start alone takes most of that memory.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RATE = 8000
FFMPEG = (
    "ffmpeg -y -loglevel error -f mulaw -ar 8000 -ac 1 -i agent.ul "
    "-f mulaw -ar 8000 -ac 1 -i customer.ul "
    "-filter_complex [0:a][1:a]join=inputs=2:channel_layout=stereo[both] "
    "-map [both] -c:a libmp3lame -b:a 64k -joint_stereo 0 both.mp3 "
    "-map 0:a -c:a pcm_s16le agent.wav -map 1:a -c:a pcm_s16le customer.wav"
)


def prepare(folder: Path) -> None:
    sys.path.insert(0, str(ROOT))
    os.environ["KALLGLOT_DATA_DIR"] = str(folder)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")


def set_up(folder: Path) -> None:
    prepare(folder)
    import django

    django.setup()


def speech(seconds: int, seed: int) -> bytes:
    """Speech-like noise with pauses, as mu-law: one minute, repeated."""
    import numpy as np

    from sessions_app.media import encode

    rng = np.random.default_rng(seed)
    noise = np.convolve(rng.standard_normal(60 * RATE), np.hanning(16), "same")
    loud = np.repeat(rng.uniform(0, 1, 300) * (rng.uniform(0, 1, 300) > 0.4), RATE // 5)
    minute = encode((noise * loud / np.abs(noise).max() * 24000).astype(np.int16), "mulaw")
    return minute * (seconds // 60)


def write_call(folder: Path, seconds: int) -> None:
    """Write the spool through the tap, as the gateway does. Prints session and time per frame."""
    set_up(folder)
    from kallglot_site.api.ids import new_id
    from recordings_app.spool.durability import syncer
    from recordings_app.spool.writer import SpoolTap
    from sessions_app.media import AudioFormat, PlacedFrame
    from sessions_app.streaming.hearing.taps import TrackContext

    session_id = new_id("sess")
    spent, frames, format = 0.0, 0, AudioFormat("mulaw", RATE)
    for seed, speaker in enumerate(("agent", "customer")):
        audio = speech(seconds, seed)
        (folder / f"{speaker}.ul").write_bytes(audio)
        context = TrackContext(session_id, "trk", speaker, 1, True, print)  # type: ignore[arg-type]  # a Speaker
        tap = SpoolTap(context)
        for start in range(0, len(audio), 800):
            frame = PlacedFrame(
                speaker,  # type: ignore[arg-type]  # a Speaker
                format,
                audio[start : start + 800],
                start / RATE,
                0.1,
            )
            began = time.perf_counter()
            tap.write(frame)
            spent += time.perf_counter() - began
            frames += 1
        tap.close()
    syncer.flush()
    print(json.dumps({"session_id": session_id, "microseconds": spent / frames * 1e6}))


def assemble(folder: Path, session_id: str, *, in_worker: bool) -> None:
    """What a worker does between claiming the work and storing the files."""
    if in_worker:
        set_up(folder)
    else:
        prepare(folder)
    from recordings_app.media.mixing import make
    from recordings_app.spool.parts import local_parts, part_path
    from recordings_app.spool.reader import PartOpener, survey

    def opener(path: Path) -> PartOpener:
        return lambda: path.open("rb")

    tracks = {
        speaker: survey(
            [
                opener(part_path(session_id, part))
                for part in local_parts(session_id)
                if part.channel == speaker
            ]
        )
        for speaker in ("agent", "customer")
    }
    make(tracks, dual=True, duration=0, workspace=folder / "tmp")


def measured(command: list[str], folder: Path) -> dict[str, float]:
    """Seconds of wall clock and CPU, and peak memory in MB, of a command."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} failed ({process.returncode})")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", metavar="FOLDER", help="(internal)")
    parser.add_argument("--in-worker", action="store_true", help="(internal)")
    parser.add_argument("--assemble", nargs=2, metavar=("FOLDER", "SESSION"), help="(internal)")
    options = parser.parse_args()
    if options.assemble:
        folder, session_id = options.assemble
        assemble(Path(folder), session_id, in_worker=options.in_worker)
        return
    if options.write:
        write_call(Path(options.write), options.minutes * 60)
        return
    with tempfile.TemporaryDirectory(prefix="kallglot-benchmark-") as name:
        folder = Path(name)
        # In a separate process, because a child's peak memory starts at its parent's.
        command = [sys.executable, __file__, "--write", name, f"--minutes={options.minutes}"]
        written = json.loads(subprocess.check_output(command))
        session_id = written["session_id"]
        print(f"spool: {written['microseconds']:.1f} µs per frame of 100 ms, to the page cache")
        sides = {
            "kallglot": [sys.executable, __file__, "--assemble", name, session_id],
            "worker": [sys.executable, __file__, "--in-worker", "--assemble", name, session_id],
            "ffmpeg": FFMPEG.split(),
        }
        if not shutil.which("ffmpeg"):
            print("ffmpeg is not installed, so there is no comparison")
            del sides["ffmpeg"]
        results: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for _ in range(options.runs):  # in turns, so that other load affects both
            for side, command in sides.items():
                results[side].append(measured(command, folder))
    report(results, options.minutes)


def report(results: dict[str, list[dict[str, float]]], minutes: int) -> None:
    medians = {
        side: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for side, runs in results.items()
    }
    print(f"{minutes} minutes, dual: stereo mp3 and two wav; median of {len(results['kallglot'])}")
    for side, median in medians.items():
        print(
            f"{side:>9}: {median['wall']:6.1f} s   CPU {median['cpu']:6.1f} s   "
            f"peak {median['memory']:5.0f} MB"
        )
    ours = medians["kallglot"]
    if "ffmpeg" in medians:
        theirs = medians["ffmpeg"]
        wall, cpu = (ours[key] / theirs[key] for key in ("wall", "cpu"))
        print(f"ratio to ffmpeg: wall {wall:.2f}, CPU {cpu:.2f} (target: at most 1.3)")
    print(f"memory target: under 150 MB — {'met' if ours['memory'] < 150 else 'missed'}")


if __name__ == "__main__":
    main()

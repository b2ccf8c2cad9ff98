#!/usr/bin/env python3
"""Measures mock-aquera as a ratio to the floor, a bare axum server that answers as many fixed bytes.

Floor and server take turns of a second, and what is told is the median of the ratios of these pairs: the speed of
a machine drifts, and jumps, that of two neighbouring turns differs the least. README.md beside this file says how to read it.
"""
import argparse
import contextlib
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import servers
from servers import ROOT, Trouble
from workloads import GROWTH, WORKLOADS, run_wrk, verdict

FLOOR = pathlib.Path(__file__).resolve().parent / "floor"
# A store that starts faster than this is made anew for each run that makes it grow.
CHEAP_START = 3.0


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mock", default=str(ROOT / "target/dist/mock-aquera"), help="the program to measure")
    parser.add_argument("--mock-option", action="append", default=[], metavar="OPTION",
                        help="a further option for it, e.g. --mock-option=--profile=rfc (repeatable)")
    parser.add_argument("--sizes", default="1000,10000,1000000", help="users in the store")
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help=f"of {', '.join(WORKLOADS)}")
    parser.add_argument("--pairs", type=int, default=5, help="runs of floor and server a workload")
    parser.add_argument("--turns", type=int, default=3, help="how often the two sides of a pair take turns")
    parser.add_argument("--seconds", type=int, default=1, help="a turn's length")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--server-cpu", type=int, default=0, help="core of every server; -1: not pinned")
    parser.add_argument("--load-cpu", type=int, default=1, help="core of wrk; -1: not pinned")
    parser.add_argument("--peers", default="", help=f"measured too, same sizes up to 10,000: {', '.join(servers.PEERS)}")
    parser.add_argument("--no-mock", action="store_true", help="the peers alone")
    parser.add_argument("--no-growth", action="store_true", help="do not compare the largest store with the smallest")
    parser.add_argument("--check", action="store_true", help="end with 1 where a ratio is missed or an answer is wrong")
    parser.add_argument("--out", default=str(pathlib.Path(__file__).resolve().parent / "results"), help="folder of the results")
    given = parser.parse_args()
    given.sizes = sorted(int(size) for size in given.sizes.split(","))
    given.workloads = [name for name in WORKLOADS if name in given.workloads.split(",")]
    given.peers = [name for name in given.peers.split(",") if name]
    unknown = set(given.peers) - set(servers.PEERS)
    if unknown or not given.workloads or min(given.sizes) < 200 or min(given.pairs, given.turns, given.seconds) < 1:
        parser.error(f"unknown peers: {', '.join(sorted(unknown))}" if unknown
                     else "it takes a known workload, sizes of at least 200, a pair, a turn and a second")
    if (os.cpu_count() or 1) < 2:
        given.server_cpu = given.load_cpu = -1
    given.server_cpu = None if given.server_cpu < 0 else given.server_cpu
    given.load_cpu = None if given.load_cpu < 0 else given.load_cpu
    for tool in ["wrk", *(["taskset"] if given.load_cpu is not None else [])]:
        if not shutil.which(tool):
            parser.error(f"{tool} is missing: apt-get install wrk util-linux")
    if not given.no_mock and not os.access(given.mock, os.X_OK):
        parser.error(f"{given.mock} is missing: cargo build --profile dist -p mock-aquera")
    return given


def say(text):
    print(text, file=sys.stderr, flush=True)


def floor_program():
    binary = FLOOR / "target/release/floor"
    if not binary.exists():
        say("building the floor")
        subprocess.run(["cargo", "build", "--release", "--locked", "--manifest-path", str(FLOOR / "Cargo.toml"),
                        "--target-dir", str(FLOOR / "target")], check=True)
    return str(binary)


class Subject:
    """A server with its users, the sample of them, and the floor that answers bytes like its own."""

    def __init__(self, stack, given, scratch, server, restart=None):
        self.given, self.server, self.restart, self.stack = given, server, restart, stack
        self.base = self.total = server.total()
        self.rows = servers.sample(server, self.total)
        if all(row[2] == "-" for row in self.rows):
            # None has an externalId: some that do, so that the filter finds what it looks for.
            servers.load(server, 100, f"ext{time.monotonic_ns()}")
            self.total = server.total()
            self.rows += self._newest(100)
        self.rows_file = scratch / f"sample-{server.port}"
        self.rows_file.write_text("".join(" ".join(row) + "\n" for row in self.rows))
        folder = scratch / f"floor-{server.port}"
        folder.mkdir()
        for name, path in (("user", f"/Users/{self.rows[0][0]}"), ("found", f"/Users?startIndex={self.total // 2}&count=1"),
                           ("page", f"/Users?startIndex={self.total // 2}&count=100")):
            (folder / f"{name}.json").write_bytes(server.ask("GET", path)[2])
        self.bytes = {path.stem: path.stat().st_size for path in sorted(folder.iterdir())}
        self.floor = stack.enter_context(servers.floor(floor_program(), folder, given.server_cpu))

    def _newest(self, count):
        found = json.loads(self.server.ask("GET", f"/Users?startIndex={self.total - count + 1}&count={count}")[2])
        return [(user["id"], user["userName"], user["externalId"], user["emails"][0]["value"]) for user in found["Resources"]
                if user.get("externalId")]

    def row_for(self, name):
        return next((row for row in self.rows if row[2] != "-"), self.rows[0]) if name == "filter_external_id" else self.rows[0]

    def check(self, name):
        self.total = self.server.total()
        return verdict(self.server, name, self.row_for(name), self.total)

    def fresh(self):
        """The server as it was before any run made it grow, where that takes no time."""
        if self.restart and self.server.ready_after < CHEAP_START:
            self.server.stop()
            self.server = self.stack.enter_context(self.restart())

    def run(self, server, name, seconds=None):
        return run_wrk(server, name, self.rows_file, self.total, seconds=seconds or self.given.seconds,
                       connections=self.given.connections, cpu=self.given.load_cpu)


def as_one(turns):
    """The turns of one side as a single run."""
    mean = lambda key: round(statistics.fmean(turn[key] for turn in turns), 1)  # noqa: E731
    return {**{key: mean(key) for key in ("rps", "p50Us", "p99Us")},
            **{key: sum(turn[key] for turn in turns) for key in ("requests", "badStatus", "timeouts", "broken")},
            "foreignCores": max(turn["foreignCores"] for turn in turns)}


def pairs(name, first, second, given, *, subjects):
    """Runs two sides in turns; `first` is what `second` is divided by. Who begins changes from turn to turn."""
    out = []
    for _ in range(given.pairs):
        if name == "post_user":
            for subject in subjects:
                subject.fresh()
        sides = {first: [], second: []}
        for turn in range(given.turns):
            for side in (first, second) if turn % 2 == 0 else (second, first):
                sides[side].append(side(name))
        below, above = as_one(sides[first]), as_one(sides[second])
        out.append({"base": below, "subject": above, "ratio": round(above["rps"] / below["rps"], 4) if below["rps"] else 0.0})
    return out


def summed_up(runs):
    bad = sum(run["subject"][kind] for run in runs for kind in ("badStatus", "timeouts", "broken"))
    middle = lambda values: statistics.median(list(values))  # noqa: E731
    return {
        "ratio": round(middle(run["ratio"] for run in runs), 4), "rps": round(middle(run["subject"]["rps"] for run in runs), 1),
        "baseRps": round(middle(run["base"]["rps"] for run in runs), 1), "p50Us": middle(run["subject"]["p50Us"] for run in runs),
        "p99Us": middle(run["subject"]["p99Us"] for run in runs), "bad": bad,
        "foreignCores": max(run[side]["foreignCores"] for run in runs for side in ("base", "subject")), "runs": runs,
    }


def against_floor(subject, given, what):
    out = {}
    for name in given.workloads:
        wrong = subject.check(name)
        if wrong:
            out[name] = {"wrong": wrong}
        else:
            if name != "post_user":
                for server in (subject.floor, subject.server):
                    subject.run(server, name, 1)
            runs = pairs(name, lambda n: subject.run(subject.floor, n), lambda n: subject.run(subject.server, n),
                         given, subjects=[subject])
            out[name] = summed_up(runs)
            wrong = subject.check(name)
            if wrong:
                out[name]["wrong"] = f"afterwards: {wrong}"
        told = out[name]
        say(f"{what} {name}: " + (told.get("wrong") or f"{told['ratio']:.3f} ({told['rps']:,.0f}/s of {told['baseRps']:,.0f}/s)"))
    return out


def growth(small, large, given, names):
    """The largest store's speed as a part of the smallest one's."""
    out = {}
    for name in names:
        if small.check(name) or large.check(name):
            continue
        if name != "post_user":
            small.run(small.server, name, 1)
        out[name] = summed_up(pairs(name, lambda n: small.run(small.server, n), lambda n: large.run(large.server, n),
                                    given, subjects=[small, large]))
        say(f"growth {name}: {out[name]['ratio']:.3f} ({out[name]['rps']:,.0f}/s of {out[name]['baseRps']:,.0f}/s)")
    return out


def measure_mock(given, scratch, result):
    def start(users, cpu=given.server_cpu):
        return servers.mock(given.mock, users, cpu, given.mock_option)

    times = []
    for _ in range(5):
        with start(3) as server:
            times.append(server.ready_after * 1000)
    result["startUpMs"] = round(statistics.median(times), 1)
    say(f"start-up: {result['startUpMs']} ms")
    for size in given.sizes:
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(start(size))
            entry = {"users": size, "readyAfterMs": round(server.ready_after * 1000, 1), "rssMb": round(server.rss_mb(), 1)}
            result["mock"].append(entry)
            say(f"{size:,} users: ready after {entry['readyAfterMs']:,.0f} ms, {entry['rssMb']:,.0f} MB")
            subject = Subject(stack, given, scratch, server, lambda size=size: start(size))
            entry["bytes"] = subject.bytes
            what = f"{size:,} users"
            if size != given.sizes[-1] or len(given.sizes) == 1 or given.no_growth:
                entry["workloads"] = against_floor(subject, given, what)
                continue
            # What makes the large store grow comes last, here as well.
            least = given.sizes[0]
            small = Subject(stack, given, scratch, stack.enter_context(start(least)), lambda: start(least))
            grown = growth(small, subject, given, [name for name in given.workloads if name != "post_user"])
            result["growth"] = {"small": least, "large": size, "workloads": grown}
            entry["workloads"] = against_floor(subject, given, what)
            grown.update(growth(small, subject, given, [name for name in given.workloads if name == "post_user"]))


def measure_peer(name, given, scratch, result):
    subprocess.run([str(servers.HERE / "peers" / f"{name}.sh"), "install"], check=True, stdout=sys.stderr)
    for size in (size for size in given.sizes if size <= 10_000):
        entry = {"peer": name, "users": size}
        result["peers"].append(entry)
        try:
            with contextlib.ExitStack() as stack:
                server = stack.enter_context(servers.peer(name, given.server_cpu))
                entry["readyAfterMs"] = round(server.ready_after * 1000, 1)
                say(f"{name}: loading {size:,} users")
                entry["loadSeconds"] = round(servers.load(server, size, f"u{time.monotonic_ns()}"), 2)
                entry["rssMb"] = round(server.rss_mb(), 1)
                subject = Subject(stack, given, scratch, server)
                entry["workloads"] = against_floor(subject, given, f"{name}, {size:,} users")
        except (Trouble, OSError, ValueError, LookupError, subprocess.SubprocessError) as trouble:
            entry["trouble"] = str(trouble)
            say(f"{name}: {trouble}")


def cell(told, least=None):
    if not told:
        return "-"
    if "ratio" not in told:
        return f"wrong: {told['wrong']}"
    text = f"{told['ratio']:.3f}" if told["ratio"] < 0.1 else f"{told['ratio']:.2f}"
    if least is not None:
        text += "" if told["ratio"] >= least else f" (wants {least})"
    if told["bad"] or told.get("wrong"):
        text += f" **{told['bad']} bad; {told.get('wrong', '')}**"
    return f"{text} · {told['rps']:,.0f}/s"


def markdown(result):
    names = result["settings"]["workloads"]
    lines = [f"Ratio to the floor · requests a second; median of {result['settings']['pairs']} pairs of "
             f"{result['settings']['turns']} x {result['settings']['seconds']} s.", "",
             "| server | users | " + " | ".join(names) + " | MB | ready ms |", "|---" * (len(names) + 4) + "|"]
    for entry in result["mock"] + result["peers"]:
        name = entry.get("peer", "mock-aquera")
        if "workloads" not in entry:
            lines.append(f"| {name} | {entry['users']:,} | {entry.get('trouble', 'not measured')} |" + " |" * (len(names) + 1))
            continue
        cells = [cell(entry["workloads"].get(workload), WORKLOADS[workload][1] if name == "mock-aquera" else None) for workload in names]
        lines.append(f"| {name} | {entry['users']:,} | " + " | ".join(cells) + f" | {entry['rssMb']:,.0f} | {entry['readyAfterMs']:,.0f} |")
    if result.get("growth"):
        grown = result["growth"]
        cells = [cell(grown["workloads"].get(workload), GROWTH[workload]) for workload in names]
        lines += ["", f"The store of {grown['large']:,} users as a part of the one of {grown['small']:,}:", "",
                  "| " + " | ".join(names) + " |", "|---" * len(names) + "|", "| " + " | ".join(cells) + " |"]
    if "startUpMs" in result:
        lines += ["", f"Start-up without users: {result['startUpMs']} ms (median of 5, from the spawn to the first answer)."]
    worst = max((told["foreignCores"] for entry in result["mock"] + result["peers"]
                 for told in entry.get("workloads", {}).values() if "foreignCores" in told), default=0.0)
    lines += [f"Other work on the machine meanwhile: at most {worst} cores." + ("" if worst < 0.15 else " **Disturbed: measure again.**")]
    return "\n".join(lines) + "\n"


def missed(result):
    out = []
    for entry in result["mock"]:
        for name, told in entry.get("workloads", {}).items():
            least = WORKLOADS[name][1]
            if told.get("wrong") or told.get("bad") or (least is not None and told["ratio"] < least):
                out.append(f"{name} at {entry['users']:,}")
    for name, told in (result.get("growth") or {}).get("workloads", {}).items():
        if told["ratio"] < GROWTH[name]:
            out.append(f"growth of {name}")
    return out


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release()}


def main():
    given = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    result = {"startedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine(),
              "settings": {key: getattr(given, key) for key in ("sizes", "workloads", "pairs", "turns", "seconds", "connections",
                                                               "server_cpu", "load_cpu", "mock_option")},
              "mock": [], "peers": []}
    try:
        with tempfile.TemporaryDirectory(prefix="mock-bench-") as scratch:
            if not given.no_mock:
                measure_mock(given, pathlib.Path(scratch), result)
            for name in given.peers:
                measure_peer(name, given, pathlib.Path(scratch), result)
    except (Trouble, OSError, ValueError, LookupError, subprocess.SubprocessError) as trouble:
        say(f"failed: {trouble}")
        result["trouble"] = str(trouble)
    except KeyboardInterrupt:
        say("stopped")
        result["trouble"] = "stopped"
    folder = pathlib.Path(given.out)
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / result["startedAt"].replace(":", "")
    table = markdown(result)
    stem.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    stem.with_suffix(".md").write_text(table)
    print(table)
    say(f"kept in {stem}.json and .md")
    if "trouble" in result:
        return 1
    below = missed(result) if given.check else []
    if below:
        say(f"missed: {', '.join(below)}")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())

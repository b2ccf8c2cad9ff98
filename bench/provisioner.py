#!/usr/bin/env python3
"""Measures the provisioner beside the same work without deciding or keeping anything.

    cargo build --profile dist -p mock-aquera -p provisioner --bins --example floor
    bench/provisioner.py --users 100000 --pairs 3
    bench/provisioner.py --users 1000000 --only unchanged,changed

first      a first sync into an empty mock, durable, against a loop of reqwest that posts the same bodies
unchanged  a sync without a change, against parsing the file into serde_json::Value on one thread
changed    a sync with 1,000 changed users, against `unchanged` and the bare requests
"""
import argparse
import http.client
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

import servers

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOKEN = servers.TOKEN
GIVEN = "Ada Grace Edsger Barbara Donald Leslie Frances Tony Radia Ken Margaret Niklaus Adele John Hedy".split()
FAMILY = "Lovelace Hopper Dijkstra Liskov Knuth Lamport Allen Hoare Perlman Thompson Hamilton Wirth Goldberg".split()


def user(number, title):
    """A PingOne user; about 18 in 100 are disabled, so that a first sync creates the others."""
    draw = random.Random(number)
    given, family = draw.choice(GIVEN), draw.choice(FAMILY)
    name = f"{given.lower()}.{family.lower()}.{number}"
    ident = f"{draw.getrandbits(128):032x}"
    ident = f"{ident[:8]}-{ident[8:12]}-{ident[12:16]}-{ident[16:20]}-{ident[20:]}"
    return {
        "id": ident, "environment": {"id": "11111111-2222-3333-4444-555555555555"},
        "account": {"canAuthenticate": True, "status": "OK"},
        "address": {"streetAddress": f"{number % 900} Main Street", "locality": "Springfield", "region": "KY",
                    "postalCode": f"{number % 90000:05}", "countryCode": "US"},
        "createdAt": "2021-08-18T19:33:26.304Z", "updatedAt": "2024-02-11T08:01:02.003Z",
        "email": f"{name}@example.com", "enabled": number % 100 >= 18, "username": f"{name}@example.com",
        "name": {"formatted": f"{given} {family}", "given": given, "family": family},
        "population": {"id": "employees"}, "lifecycle": {"status": "ACCOUNT_OK"}, "mfaEnabled": False,
        "title": title, "type": "employee", "mobilePhone": f"+1 555 {number % 10000:04}", "locale": "en-US",
        "preferredLanguage": "en", "timezone": "America/New_York",
    }


def write_users(path, count, changed):
    with path.open("w") as file:
        for number in range(count):
            # Every hundredth enabled user, up to the number of changes.
            turn, rest = divmod(number, max(1, count // 1000))
            is_changed = changed and rest == 50 % max(1, count // 1000) and turn < 1000
            title = "Principal Engineer" if is_changed else "Engineer"
            file.write(json.dumps(user(number, title), separators=(",", ":")) + "\n")


def peak(command):
    """Runs a program under a small wrapper that tells its peak memory in MB."""
    code = ("import resource,subprocess,sys,json,time;s=time.perf_counter();"
            "p=subprocess.run(sys.argv[1:],stdout=subprocess.PIPE);w=time.perf_counter()-s;"
            "r=resource.getrusage(resource.RUSAGE_CHILDREN);"
            "last=(p.stdout.splitlines() or [b''])[-1].decode();"
            "print(json.dumps({'exit':p.returncode,'wall':w,'cpu':r.ru_utime+r.ru_stime,'mb':r.ru_maxrss/1024,'last':last}))")
    result = json.loads(subprocess.run([sys.executable, "-c", code, *command], stdout=subprocess.PIPE, check=True,
                                       text=True).stdout)
    if result["exit"] not in (0, 1):
        sys.exit(f"{command} ended with {result['exit']}: {result['last']}")
    return result


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.users = folder / "users.ndjson"
        self.config = folder / "aquera.toml"

    def mock(self):
        return servers.Server("mock", [str(self.args.mock), "--listen", "127.0.0.1:0", "--auth", f"bearer:{TOKEN}", "--users", "0", "--json"],
                              cpu=None, first_line=lambda line: json.loads(line)["scimUrl"].split(":")[2].split("/")[0])

    def configure(self, port):
        self.config.write_text(f"""[connection]
name = "bench"
[connection.authentication]
scim-url = "http://127.0.0.1:{port}/scim"
profile = "bearer-token"
oauth-access-token = "{TOKEN}"
[connection.preferences]
enable-users-creation = true
enable-users-updation = true
enable-users-disable = true
enable-users-deprovision = true
remove-action = "disable"
[connection.options]
concurrency = {self.args.concurrency}
[source]
kind = "file"
path = "users.ndjson"
[[rule]]
name = "everyone"
""")

    def sync(self, *more):
        result = peak([str(self.args.provisioner), "sync", "-c", str(self.config), "--json", *more])
        result["summary"] = json.loads(result["last"])
        return result

    def forget(self):
        for file in self.folder.glob("aquera.db*"):
            file.unlink()

    def floor(self, *words):
        ended = subprocess.run([str(self.args.floor), *map(str, words)], capture_output=True, text=True)
        if ended.returncode:
            sys.exit(f"the floor ended with {ended.returncode}: {ended.stderr}")
        return json.loads(ended.stdout)["seconds"]

    def bodies(self, port):
        """The bodies that the last sync posted, as the mock has them."""
        path = self.folder / "bodies.ndjson"
        start = 1
        with path.open("w") as file:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            while True:
                connection.request("GET", f"/scim/Users?startIndex={start}&count=1000",
                                   headers={"Authorization": f"Bearer {TOKEN}"})
                page = json.loads(connection.getresponse().read())
                for account in page.get("Resources", []):
                    for name in ("id", "meta"):
                        account.pop(name, None)
                    file.write(json.dumps(account, separators=(",", ":")) + "\n")
                start += len(page.get("Resources", []))
                if start > page["totalResults"] or not page.get("Resources"):
                    return path


def median(values):
    return statistics.median(values)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=3, help="each figure is the median of so many side-by-side runs")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--only", default="first,unchanged,changed")
    for name in ("mock", "provisioner", "floor"):
        place = "examples/floor" if name == "floor" else {"mock": "mock-aquera"}.get(name, name)
        parser.add_argument(f"--{name}", type=pathlib.Path, default=ROOT / "target/dist" / place)
    args = parser.parse_args()
    only = set(args.only.split(","))
    figures = {"users": args.users, "concurrency": args.concurrency}
    with tempfile.TemporaryDirectory(dir=args.users >= 500_000 and ROOT / "target" or None) as name:
        bench = Bench(args, pathlib.Path(name))
        write_users(bench.users, args.users, changed=False)
        firsts, floors = [], []
        for turn in range(args.pairs if "first" in only else 1):
            if turn:
                server.stop()
            server = bench.mock()
            bench.configure(server.port)
            bench.forget()
            first = bench.sync()
            firsts.append(first)
            if "first" in only:
                path = bench.bodies(int(server.port))
                other = bench.mock()
                floors.append(bench.floor("post", f"http://127.0.0.1:{other.port}/scim", TOKEN, path, args.concurrency))
                other.stop()
        created = firsts[0]["summary"]["success"]
        figures["created"] = created
        first = median([one["wall"] for one in firsts])
        if floors:
            figures["first"] = {"seconds": first, "bare": median(floors), "share": median(floors) / first,
                                "cpu": median([one["cpu"] for one in firsts]), "mb": max(one["mb"] for one in firsts),
                                "requests": firsts[0]["summary"].get("requests")}
        if "unchanged" in only or "changed" in only:
            again, parsed = [], []
            for _ in range(args.pairs):
                again.append(bench.sync())
                parsed.append(bench.floor("parse", bench.users))
            wall = median([one["wall"] for one in again])
            figures["unchanged"] = {"seconds": wall, "parse": median(parsed), "times": wall / median(parsed),
                                    "cpu": median([one["cpu"] for one in again]), "mb": max(one["mb"] for one in again),
                                    "requests": again[0]["summary"].get("requests"),
                                    "impacted": again[0]["summary"]["impacted"]}
        if "changed" in only:
            write_users(bench.users, args.users, changed=True)
            changed = bench.sync()
            figures["changed"] = {"seconds": changed["wall"], "impacted": changed["summary"]["impacted"],
                                  "requests": changed["summary"].get("requests"),
                                  "of-unchanged": changed["wall"] / figures["unchanged"]["seconds"], "mb": changed["mb"]}
        server.stop()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

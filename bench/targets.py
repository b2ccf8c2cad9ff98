#!/usr/bin/env python3
"""Provisions people into SCIM servers that others wrote, over six syncs, and checks what is there in the end.

    cargo build --release -p provisioner
    bench/targets.py                       all targets
    bench/targets.py scim2-server canaille --keep

Each target is installed (bench/peers), started afresh and given: creates; renames and changed attributes; disables and
deletes; re-hires under new ids, enables and creates; two people who swap their names, and leavers; nothing. Then a sync has to
say nothing and write nothing, and the accounts have to be those of the people. Exit codes: 0 all converged, 1 one did not.
"""
import argparse
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench/peers"
TOKEN = "judged-token"
TARGETS = {  # name: script, path, environment, options of the connection
    "scim2-server": ("scim2-server.sh", "/v2", {}, ""),
    "scimmy-routers": ("scimmy-routers.sh", "/scim", {"EXPRESS": "5"}, ""),
    "canaille": ("canaille.sh", "/scim/v2", {}, ""),
    "django-scim2": ("django-scim2.sh", "/scim/v2", {}, ""),
    "django-scim2-server": ("django-scim2-server.sh", "/scim/v2", {}, ""),
    "better-auth": ("better-auth.sh", "/api/auth/scim/v2", {}, ""),
    "scim-server": ("scim-server-judged.sh", "/v2", {}, ""),
}


def person(number, **changes):
    given, family = ("Ada Grace Edsger Barbara".split()[number % 4], "Lovelace Hopper Dijkstra Liskov Knuth".split()[number % 5])
    name = f"{given.lower()}.{number}@example.com"
    return {"id": f"source-{number}", "username": name, "email": name, "enabled": True, "title": "Engineer",
            "name": {"given": given, "family": family, "formatted": f"{given} {family}"}, "locale": "en-US", **changes}


def steps():
    """The people after each change, with what it is."""
    people = {number: person(number) for number in range(12)}
    yield "twelve creates", people
    people = dict(people)
    for number in (0, 1):
        renamed = f"renamed.{number}@example.com"
        people[number] = {**people[number], "username": renamed, "email": renamed}
    for number in (2, 3):
        people[number] = {**people[number], "title": "Principal Engineer"}
    yield "two renames, two changed titles", people
    people = dict(people)
    for number in (4, 5):
        people[number] = {**people[number], "enabled": False}
    for number in (6, 7):
        del people[number]
    yield "two disables, two deletes", people
    people = dict(people)
    people[6] = person(6, id="source-6-again")
    people[4] = {**people[4], "enabled": True}
    people[12] = person(12)
    yield "a re-hire, an enable, a create", people
    people = dict(people)
    first, second = people[8], people[9]
    people[8] = {**first, "username": second["username"], "email": second["email"]}
    people[9] = {**second, "username": first["username"], "email": first["email"]}
    del people[10]
    yield "two who swap their names, a delete", people
    yield "nothing", people


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Target:
    def __init__(self, name, folder):
        script, path, environment, _ = TARGETS[name]
        environment = {**os.environ, "TOKEN": TOKEN, **environment}
        log = (folder / f"{name}.log").open("w")
        subprocess.run([PEERS / script, "install"], env=environment, check=True, stdout=log, stderr=log)
        self.port = free_port()
        self.path = path
        self.process = subprocess.Popen([PEERS / script, str(self.port)], env=environment, stdout=log, stderr=log,
                                        start_new_session=True)
        for _ in range(300):
            try:
                self.get("/ServiceProviderConfig")
                return
            except OSError:
                time.sleep(0.2)
        raise SystemExit(f"{name} does not answer")

    def get(self, path):
        """Some targets fail at `count`: their default size of a page is taken."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", self.path + path, headers={"Authorization": f"Bearer {TOKEN}"})
        body = connection.getresponse().read()
        return json.loads(body) if body else {}

    def accounts(self):
        found, start = [], 1
        while True:
            page = self.get(f"/Users?startIndex={start}")
            resources = page.get("Resources") or []
            found += resources
            start += len(resources)
            if not resources or start > page.get("totalResults", 0):
                return found

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()


def sync(provisioner, config):
    ended = subprocess.run([provisioner, "sync", "-c", config, "--json"], capture_output=True, text=True)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    if not lines:
        raise SystemExit(f"sync said nothing: {ended.stderr}")
    return ended.returncode, lines[:-1], lines[-1]


def problems(accounts, people):
    """What is wrong with the accounts in the end."""
    told = []
    named = {}
    for account in accounts:
        named.setdefault(str(account.get("userName", "")).lower(), []).append(account)
    for one in people.values():
        found = named.get(one["username"].lower(), [])
        active = [account for account in found if account.get("active", True)]
        if one["enabled"] and len(active) != 1:
            told.append(f"{one['username']} has {len(active)} active accounts")
        if not one["enabled"] and active:
            told.append(f"{one['username']} is disabled at the source and active")
    wanted = {one["username"].lower() for one in people.values()}
    for name, found in named.items():
        if name.endswith("@example.com") and name not in wanted and any(account.get("active", True) for account in found):
            told.append(f"{name} has left and is active")
    return told


def play(name, provisioner, folder, remove_action):
    target = Target(name, folder)
    state = folder / name
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir()
    config = state / "aquera.toml"
    config.write_text(f"""[connection]
name = "{name}"
[connection.authentication]
scim-url = "http://127.0.0.1:{target.port}{target.path}"
profile = "bearer-token"
oauth-access-token = "{TOKEN}"
[connection.preferences]
enable-users-creation = true
enable-users-updation = true
enable-users-disable = true
enable-users-deprovision = true
remove-action = "{remove_action}"
[connection.options]
max-removals-percent = 100
{TARGETS[name][3]}
[source]
kind = "file"
path = "users.ndjson"
[[rule]]
name = "everyone"
""")
    try:
        for number, (what, people) in enumerate(steps(), 1):
            (state / "users.ndjson").write_text("".join(json.dumps(one) + "\n" for one in people.values()))
            code, lines, summary = sync(provisioner, config)
            print(f"  {number}. {what}: exit {code}, {summary['success']} success, {summary['failed']} failed, {summary['requests']} requests")
            for line in lines:
                if line["outcome"] != "success" or line.get("detail"):
                    print(f"     {line['userName']}: {line['operation']} {line['outcome']} {line['reason']}: {line.get('detail')}")
        code, lines, _ = sync(provisioner, config)
        told = problems(target.accounts(), people)
        told += [f"a further sync says: {line['userName']} {line['operation']} {line['reason']}" for line in lines]
        told += [f"a further sync ended with {code}"] if code else []
    finally:
        target.stop()
    print(f"  {'converged' if not told else 'did not converge: ' + '; '.join(told)}")
    return not told


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--provisioner", type=pathlib.Path, default=ROOT / "target/release/provisioner")
    parser.add_argument("--keep", action="store_true", help="keeps logs, configurations and states, and tells where")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in TARGETS]
    if unknown:
        parser.error(f"unknown target {unknown[0]}; known are {', '.join(TARGETS)}")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="targets-"))
    converged = True
    for name in args.names or TARGETS:
        for action in ("disable", "delete"):
            print(f"{name}, Remove Action = {action}", flush=True)
            converged &= play(name, args.provisioner, folder, action)
    if args.keep:
        print(f"kept in {folder}")
    else:
        shutil.rmtree(folder)
    sys.exit(0 if converged else 1)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Provisions people into SCIM servers that others wrote, over six syncs, and checks what is there in the end.

    cargo build --release -p provisioner
    bench/targets.py                       all targets
    bench/targets.py scim2-server canaille --keep

Each target is installed (bench/peers), started afresh and given: creates; renames and changed attributes; disables and
deletes; re-hires under new ids, enables and creates; two people who swap their names, and leavers; nothing. Then a sync has to
say nothing and write nothing, and the accounts have to be those of the people, with the mapped values. Lines that say the same of
several people are printed once, with their number. What came of it: docs/targets.md.

Exit codes: 0 all converged, 1 one did not, or could not be played; 2 usage.
"""
import argparse
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench/peers"
TOKEN = "judged-token"
# The default mappings of what the people have.
NAMES = [("username", "userName"), ("name.given", "name.givenName"), ("name.family", "name.familyName")]
ORIGIN, EMAIL = ("id", "externalId"), ("email", 'emails[type eq "work"].value')
DEFAULTS = [*NAMES, ORIGIN, EMAIL, ("name.formatted", "name.formatted"), ("title", "title"), ("locale", "locale")]


class Settings(typing.NamedTuple):
    """How a target is started, and what its administrator writes into the configuration (docs/targets.md)."""
    script: str
    path: str
    environment: dict = {}
    mappings: list = []  # none: the default ones
    options: str = ""  # lines of [connection.options]


TARGETS = {
    "scim2-server": Settings("scim2-server.sh", "/v2"),
    "scimmy-routers": Settings("scimmy-routers.sh", "/scim", {"EXPRESS": "5"}),
    "scimgateway": Settings("scimgateway.sh", ""),
    "django-scim2": Settings("django-scim2.sh", "/scim/v2", mappings=[*NAMES, ORIGIN, EMAIL]),
    "better-auth": Settings("better-auth.sh", "/api/auth/scim/v2", {"RELINK": "1"}, [one for one in DEFAULTS if one != EMAIL]),
    "django-scim2-server": Settings("django-scim2-server.sh", "/scim/v2", mappings=[*NAMES, ORIGIN]),
    "canaille": Settings("canaille.sh", "/scim/v2", mappings=[*NAMES, ("name.formatted", "name.formatted")], options="external-id = false"),
    "scim-server": Settings("scim-server-judged.sh", "/v2"),
}
DETAIL = 160  # characters of a line's detail that are printed
CONFIGURATION = """[connection]
name = "{name}"
[connection.authentication]
scim-url = "http://127.0.0.1:{port}{path}"
profile = "bearer-token"
oauth-access-token = "{token}"
[connection.preferences]
enable-users-creation = true
enable-users-updation = true
enable-users-disable = true
enable-users-deprovision = true
remove-action = "{action}"
[connection.options]
max-removals-percent = 100
{options}
[source]
kind = "file"
path = "users.ndjson"
[[rule]]
name = "everyone"
"""


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


class NotPlayable(Exception):
    """A target that cannot be installed or started, or a sync that ends without a summary."""


class Target:
    def __init__(self, name, log):
        script, self.path = TARGETS[name].script, TARGETS[name].path
        environment = {**os.environ, "TOKEN": TOKEN, **TARGETS[name].environment}
        if subprocess.run([PEERS / script, "install"], env=environment, stdout=log, stderr=log).returncode:
            raise NotPlayable(f"failed to install {name}: see --keep for its log")
        self.port = free_port()
        self.process = subprocess.Popen([PEERS / script, str(self.port)], env=environment, stdout=log, stderr=log,
                                        start_new_session=True)
        for _ in range(300):
            try:
                self.get("/ServiceProviderConfig")
                return
            except (OSError, http.client.HTTPException):
                time.sleep(0.2)
        self.stop()
        raise NotPlayable(f"{name} does not answer")

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
        raise NotPlayable(f"sync ended with {ended.returncode}: {ended.stderr.strip()}")
    return ended.returncode, lines[:-1], lines[-1]


def value_at(resource, path):
    """The value of an attribute path, as the mappings write it: `a`, `a.b` or `a[b eq "c"].d`."""
    name, selector, literal, sub = re.fullmatch(r'(\w+)(?:\[(\w+) eq "(.*)"\])?(?:\.(\w+))?', path).groups()
    value = resource.get(name)
    if selector:
        # Some targets keep the value and drop the sub-attribute that selects it.
        value = next((one for one in value or [] if str(one.get(selector, literal)).lower() == literal.lower()), None)
    return (value or {}).get(sub) if sub else value


def wanted_at(one, source):
    for name in source.split("."):
        one = one.get(name, {})
    return one


def problems(accounts, people, mappings):
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
        for account in active:
            told += [f"{one['username']} has another {path}" for source, path in mappings
                     if value_at(account, path) != wanted_at(one, source)]
    wanted = {one["username"].lower() for one in people.values()}
    for name, found in named.items():
        if name.endswith("@example.com") and name not in wanted and any(account.get("active", True) for account in found):
            told.append(f"{name} has left and is active")
    return told


def collapsed(lines):
    """Lines of a sync that say the same of several people, once, with their number."""
    groups = {}
    for line in lines:
        if line["outcome"] == "success" and not line.get("detail"):
            continue
        detail = " ".join(re.sub(r"<[^>]*>", " ", line.get("detail") or "").split())
        if len(detail) > DETAIL:
            detail = detail[:DETAIL] + " …"
        groups.setdefault((line["operation"], line["outcome"], line["reason"], detail), []).append(line["userName"])
    for (operation, outcome, reason, detail), names in groups.items():
        who = names[0] if len(names) == 1 else f"{len(names)} × {names[0]} and others"
        yield f"{who}: {operation} {outcome} {reason}" + (f": {detail}" if detail else "")


def play(name, provisioner, folder, remove_action):
    """The problems that are left in the end."""
    mappings, options = TARGETS[name].mappings, TARGETS[name].options
    state = folder / f"{name}-{remove_action}"
    state.mkdir()
    config = state / "aquera.toml"
    with (state / "target.log").open("w") as log:
        target = Target(name, log)
        try:
            config.write_text(CONFIGURATION.format(name=name, port=target.port, path=target.path, token=TOKEN, action=remove_action,
                                                   options=options)
                              + "".join(f"[[rule.mapping]]\nsource = '{source}'\ntarget = '{path}'\n" for source, path in mappings))
            for number, (what, people) in enumerate(steps(), 1):
                (state / "users.ndjson").write_text("".join(json.dumps(one) + "\n" for one in people.values()))
                code, lines, summary = sync(provisioner, config)
                print(f"  {number}. {what}: exit {code}, {summary['success']} success, {summary['failed']} failed, {summary['requests']} requests")
                for line in collapsed(lines):
                    print(f"     {line}", flush=True)
            code, lines, _ = sync(provisioner, config)
            told = problems(target.accounts(), people, mappings or DEFAULTS)
            told += [f"a further sync says: {line}" for line in collapsed(lines)] or (["a further sync still writes"] if lines else [])
            told += [f"a further sync ended with {code}"] if code else []
        finally:
            target.stop()
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--provisioner", type=pathlib.Path, default=ROOT / "target/release/provisioner")
    parser.add_argument("--keep", action="store_true", help="keeps logs, configurations and states, and tells where")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in TARGETS]
    if unknown:
        parser.error(f"unknown target {unknown[0]}; known are {', '.join(TARGETS)}")
    # So that a stop from outside stops the target too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="targets-"))
    ends = []
    for name in args.names or TARGETS:
        for action in ("disable", "delete"):
            print(f"{name}, Remove Action = {action}", flush=True)
            try:
                told = play(name, args.provisioner, folder, action)
            except (NotPlayable, OSError, ValueError, http.client.HTTPException) as error:
                told = [str(error)]
            print("".join(f"  left: {one}\n" for one in told) or "  converged\n", flush=True)
            ends.append((name, action, told))
    for name, action, told in ends:
        print(f"{name:20} {action:8} {'converged' if not told else f'{len(told)} problems left'}")
    if args.keep:
        print(f"kept in {folder}")
    else:
        shutil.rmtree(folder)
    sys.exit(1 if any(told for _, _, told in ends) else 0)


if __name__ == "__main__":
    main()

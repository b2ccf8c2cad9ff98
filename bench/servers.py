"""Starts, asks and ends the servers that are measured; each is a child of this process and ends with it."""
import ctypes
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
TOKEN = "bench-token"
READY_WITHIN = 180.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Trouble(Exception):
    """Something that ends the measurement of one server, told in one line."""


class Server:
    """A running server: where it listens, and how it wants to be asked."""

    def __init__(self, name, command, *, cpu, port=None, prefix="/scim", ctype="application/scim+json",
                 plain=False, ready="/ServiceProviderConfig", first_line=None, env=None, log=subprocess.DEVNULL):
        self.name, self.prefix, self.ctype, self.plain = name, prefix, ctype, plain
        self.auth = f"Bearer {TOKEN}"
        started = time.perf_counter()

        def prepare():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})

        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if first_line else log, stderr=log,
            env=dict(os.environ, **(env or {})), start_new_session=True, preexec_fn=prepare)
        try:
            self.port = first_line(self.process.stdout.readline()) if first_line else port
            self._wait(ready, started)
        except BaseException as error:
            self.stop()
            if isinstance(error, (ValueError, KeyError)):
                raise Trouble(f"{name}: no ready line came") from error
            raise
        self.ready_after = time.perf_counter() - started

    def _wait(self, path, started):
        while True:
            if self.process.poll() is not None:
                raise Trouble(f"{self.name}: ended with {self.process.returncode} before it was ready")
            try:
                if self.ask("GET", path)[0] < 500:
                    return
            except OSError:
                pass
            if time.perf_counter() - started > READY_WITHIN:
                raise Trouble(f"{self.name}: not ready after {READY_WITHIN:.0f} s")
            time.sleep(0.001)

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def ask(self, method, path, body=None, connection=None):
        """One request below the prefix: status, headers, bytes."""
        line = connection or self.connect()
        headers = {"Accept": "application/scim+json", "Authorization": self.auth}
        if body is not None:
            headers["Content-Type"] = self.ctype
        try:
            line.request(method, self.prefix + path, json.dumps(body) if body is not None else None, headers)
            reply = line.getresponse()
            return reply.status, reply.headers, reply.read()
        except http.client.HTTPException as error:
            line.close()
            raise ConnectionError(str(error)) from error
        finally:
            if connection is None:
                line.close()

    def total(self):
        return json.loads(self.ask("GET", "/Users?startIndex=1&count=1")[2])["totalResults"]

    def rss_mb(self):
        """Resident memory of the process and whatever it started."""
        kilobytes = 0
        for pid in family(self.process.pid):
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            kilobytes += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        return kilobytes / 1024

    def stop(self):
        if self.process.poll() is None:
            for sign, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 30)):
                try:
                    os.killpg(self.process.pid, sign)
                    self.process.wait(patience)
                    break
                except ProcessLookupError:
                    break
                except subprocess.TimeoutExpired:
                    continue
        if self.process.stdout:
            self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def family(pid):
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def mock(binary, users, cpu, extra=()):
    command = [binary, "serve", "--listen", "127.0.0.1:0", "--json", "--auth", f"bearer:{TOKEN}", "--users", str(users), *extra]
    return Server("mock-aquera", command, cpu=cpu,
                  first_line=lambda line: int(json.loads(line)["scimUrl"].split(":")[2].split("/")[0]))


def floor(binary, folder, cpu):
    return Server("floor", [binary, str(folder)], cpu=cpu, ready="/Users/x", first_line=lambda line: int(line))


# What each peer's own way of being asked is; `peers/NAME.sh` installs and starts it.
PEERS = {
    "scim2-server": dict(prefix="/v2"),
    "scim2-server-asgi": dict(prefix="/v2"),
    "scimmy-routers": dict(prefix="/scim", env={"NODE_ENV": "production"}),
    "scim-server": dict(prefix="", ctype="application/json", plain=True, ready="/Users/none"),
}


def peer(name, cpu):
    port = free_port()
    return Server(name, [str(HERE / "peers" / f"{name}.sh"), str(port)], cpu=cpu, port=port, **PEERS[name])


def user(tag, number, plain):
    """A user of about 700 bytes once stored."""
    name = f"{tag}-{number:07d}"
    body = {
        "schemas": [USER], "externalId": f"ext-{name}", "userName": f"{name}@example.com",
        "name": {"formatted": "Given User", "familyName": "User", "givenName": "Given"},
        "displayName": f"Given User {number}", "title": "Engineer", "active": True,
        "emails": [{"value": f"{name}@example.com", "type": "work", "primary": True}],
    }
    if not plain:
        body["schemas"].append(ENTERPRISE)
        body[ENTERPRISE] = {"employeeNumber": f"{number:07d}", "department": "Eng"}
    return body


def load(server, count, tag, limit=300.0):
    """POSTs users until there are `count`; tells how long that took."""
    lock, state, refused = threading.Lock(), {"next": 0}, []
    started = time.perf_counter()

    def work():
        line = server.connect()
        while True:
            with lock:
                number = state["next"]
                if number >= count or refused or time.perf_counter() - started > limit:
                    break
                state["next"] += 1
            try:
                status, _, body = server.ask("POST", "/Users", user(tag, number, server.plain), line)
            except OSError as error:
                status, body = 0, str(error).encode()
            if status != 201:
                refused.append(f"{status} {body[:200].decode(errors='replace')}")
        line.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        raise Trouble(f"{server.name}: a user was refused while loading: {refused[0]}")
    if state["next"] < count:
        raise Trouble(f"{server.name}: {state['next']} of {count} users after {limit:.0f} s")
    return time.perf_counter() - started


def sample(server, total, wanted=10_000):
    """(id, userName, externalId, email) of users from anywhere in the store, by pages of 100 from random places."""
    dice, rows, line = random.Random(1), {}, server.connect()
    for _ in range(max(1, wanted // 100)):
        start = dice.randint(1, max(1, total - 99))
        status, _, body = server.ask("GET", f"/Users?startIndex={start}&count=100", connection=line)
        if status != 200:
            raise Trouble(f"{server.name}: {status} to a page from {start}")
        for found in json.loads(body)["Resources"]:
            email = (found.get("emails") or [{}])[0].get("value") or "-"
            rows[found["id"]] = (found["id"], found["userName"], found.get("externalId") or "-", email)
    line.close()
    rows = list(rows.values())
    dice.shuffle(rows)
    return rows

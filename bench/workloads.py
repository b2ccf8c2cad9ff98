"""What is asked of a server: the workloads, whether it answers them rightly, and how many it answers a second."""
import json
import os
import subprocess
import time
import urllib.parse

from servers import HERE, Trouble

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def want(condition, what):
    if not condition:
        raise AssertionError(what)


def read(server, path):
    status, _, body = server.ask("GET", path)
    want(status == 200, f"GET {path} answered {status}")
    return json.loads(body)


def check_id(server, row, _total):
    want(read(server, f"/Users/{row[0]}").get("userName") == row[1], "another user came back")


def check_filter(attribute, column):
    def check(server, row, _total):
        query = urllib.parse.quote(f'{attribute} eq "{row[column]}"', safe="")
        found = read(server, f"/Users?filter={query}")
        ids = [user.get("id") for user in found.get("Resources", [])]
        want(found.get("totalResults") == 1 and ids == [row[0]], f"{found.get('totalResults')} users, not the one")
    return check


def page_ids(server, start, total):
    found = read(server, f"/Users?startIndex={start}&count=100")
    ids = [user["id"] for user in found.get("Resources", [])]
    want(len(ids) == 100 and len(set(ids)) == 100, f"a page of {len(ids)}, {len(set(ids))} of them different")
    want(found.get("totalResults") == total, f"totalResults {found.get('totalResults')} of {total}")
    return ids


def check_page(server, _row, total):
    page_ids(server, 1, total)


def check_deep(server, _row, total):
    start = max(1, total * 2 // 3)
    want(page_ids(server, start, total)[50:] == page_ids(server, start + 50, total)[:50],
         "two pages that overlap by 50 do not share them")


def check_patch(server, row, _total):
    was = read(server, f"/Users/{row[0]}").get("active")
    for value in (not was, was):
        body = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "active", "value": value}]}
        status, _, _ = server.ask("PATCH", f"/Users/{row[0]}", body)
        want(status in (200, 204), f"PATCH answered {status}")
        want(read(server, f"/Users/{row[0]}").get("active") == value, "PATCH did not change active")


def check_post(server, _row, _total):
    from servers import user
    body = user(f"check{time.monotonic_ns()}", 0, server.plain)
    status, headers, raw = server.ask("POST", "/Users", body)
    want(status == 201, f"POST answered {status}")
    made = json.loads(raw)
    want(made.get("userName") == body["userName"], "POST answered with another user")
    want(read(server, f"/Users/{made['id']}").get("userName") == body["userName"], "what was posted is not there")
    status, _, _ = server.ask("POST", "/Users", body)
    want(status == 409, f"the same userName again was answered {status}")


# name: its check, the ratios to reach (at every size), whether it may change the store.
WORKLOADS = {
    "get_id": (check_id, 0.75),
    "filter_username": (check_filter("userName", 1), 0.70),
    "filter_external_id": (check_filter("externalId", 2), None),
    "filter_email": (check_filter("emails.value", 3), None),
    "page100": (check_page, 0.75),
    "page100_deep": (check_deep, 0.50),
    "patch_active": (check_patch, 0.55),
    "post_user": (check_post, 0.50),  # grows the store: last
}
# The least that the largest store may be of the smallest.
GROWTH = {name: 0.7 if name.startswith("page") else 0.8 for name in WORKLOADS}


def verdict(server, name, row, total):
    """None, or what is wrong with the server's answers to this workload."""
    try:
        WORKLOADS[name][0](server, row, total)
        return None
    except AssertionError as error:
        return str(error)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{type(error).__name__}: {error}"


def busy():
    """Seconds that all cores have worked since the machine started."""
    with open("/proc/stat") as stat:
        fields = [int(field) for field in stat.readline().split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:8])) / os.sysconf("SC_CLK_TCK")


def used(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children():
    times = os.times()
    return times.children_user + times.children_system + times.user + times.system


def run_wrk(server, name, sample_file, total, *, seconds, connections, cpu):
    """One run of wrk: its figures, and how many cores' worth of other work went on meanwhile."""
    environment = dict(
        os.environ, BENCH_LUA=str(HERE / "lua"), BENCH_PREFIX=server.prefix, BENCH_AUTH=server.auth,
        BENCH_CTYPE=server.ctype, BENCH_SAMPLE=str(sample_file), BENCH_TOTAL=str(total),
        BENCH_PLAIN="1" if server.plain else "", BENCH_TAG=f"w{time.monotonic_ns() // 1000}")
    pinned = ["taskset", "-c", str(cpu)] if cpu is not None else []
    command = [*pinned, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency",
               "-s", str(HERE / "lua" / f"{name}.lua"), f"http://127.0.0.1:{server.port}"]
    before, ours, started = busy(), children() + used(server.process.pid), time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds + 90)
    lasted = time.perf_counter() - started
    if server.process.poll() is not None:
        raise Trouble(f"{server.name} ended during {name}")
    foreign = (busy() - before - (children() + used(server.process.pid) - ours)) / lasted
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return {**json.loads(line[7:]), "foreignCores": round(max(0.0, foreign), 2)}
    raise Trouble(f"{name}: wrk told nothing: {(done.stdout + done.stderr)[-300:]}")

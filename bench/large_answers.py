#!/usr/bin/env python3
"""How much memory `conformance server` needs where each list is megabytes long.

A proxy in front of mock-aquera fills each list of users, groups and searches up with users that nobody asked for, and the
suite runs against it. Prints the peak of the suite's resident memory; ends with 1 where that is above --most.

    cargo build -p mock-aquera -p conformance
    bench/large_answers.py
    bench/large_answers.py --select 'section=3.4.2.2' --jobs 8
"""
import argparse
import http.client
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOKEN = "a-token-for-large-answers"


def filler(megabytes):
    """As many users as make a body of that size, as JSON without the brackets, and how many they are."""
    users, size, number = [], 0, 0
    while size < megabytes * 1_000_000:
        number += 1
        user = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": f"filler-{number}",
            "userName": f"filler.{number}@example.com",
            "name": {"givenName": "Filler", "familyName": f"Number {number}"},
            "emails": [{"value": f"filler.{number}@example.com", "type": "work", "primary": True}],
            "active": True,
            "meta": {"resourceType": "User", "created": "2026-01-01T00:00:00Z"},
        }
        users.append(json.dumps(user))
        size += len(users[-1]) + 2
    return ", ".join(users), number


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def forward(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        sent = answer.read()
        upstream.close()
        if answer.status == 200 and b"ListResponse" in sent and "/Schemas" not in self.path and "/ResourceTypes" not in self.path:
            sent = self.fill(sent)
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def fill(self, sent):
        found = json.loads(sent)
        own = [json.dumps(resource) for resource in found.get("Resources", [])]
        found["totalResults"] = found.get("totalResults", 0) + self.server.count
        found["itemsPerPage"] = len(own) + self.server.count
        found["Resources"] = []
        text = json.dumps(found)
        all_of_them = ", ".join(own + [self.server.filler])
        return text.replace('"Resources": []', f'"Resources": [{all_of_them}]').encode()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--mock", default=ROOT / "target/debug/mock-aquera")
    arguments.add_argument("--conformance", default=ROOT / "target/debug/conformance")
    arguments.add_argument("--megabytes", type=float, default=3, help="of each list (3)")
    arguments.add_argument("--jobs", default="8")
    arguments.add_argument("--select", help="as in conformance server --select")
    arguments.add_argument("--most", type=int, default=300, help="MB of memory that are fine (300)")
    given = arguments.parse_args()

    mock = subprocess.Popen(
        [given.mock, "--listen", "127.0.0.1:0", "--auth", f"bearer:{TOKEN}", "--profile", "rfc", "--quiet", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        ready = json.loads(mock.stdout.readline())
        port = int(ready["scimUrl"].split("://")[1].split("/")[0].rsplit(":", 1)[1])
        proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        proxy.daemon_threads = True
        proxy.upstream = port
        proxy.filler, proxy.count = filler(given.megabytes)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{proxy.server_port}/scim"
        command = [str(given.conformance), "server", url, "--bearer", TOKEN, "--seed", "1", "--jobs", given.jobs]
        command += ["--report", f"json={os.devnull}"]
        if given.select:
            command += ["--select", given.select]
        suite = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        said = suite.stdout.read().strip().splitlines()
        _, status, used = os.wait4(suite.pid, 0)
    finally:
        mock.terminate()
        mock.wait()
    # Linux counts in KiB, macOS in bytes.
    peak = used.ru_maxrss / (1_000_000 if sys.platform == "darwin" else 1_000)
    print(said[-1] if said else f"the suite said nothing, and ended with {os.waitstatus_to_exitcode(status)}")
    print(f"peak memory: {peak:.0f} MB, with lists of {given.megabytes:g} MB and {given.jobs} cases at once")
    return 1 if peak > given.most or not said else 0


if __name__ == "__main__":
    sys.exit(main())

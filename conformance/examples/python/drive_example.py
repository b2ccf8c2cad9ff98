#!/usr/bin/env python3
"""A provisioner in one file, driven by `conformance client`. Python 3.8 or later, nothing else.

    conformance client --drive 'python3 conformance/examples/python/drive_example.py state.json'

It is started once for each step, with the step as JSON on its standard input (conformance/data/client/README.md has every
member), brings the accounts at the mock to what the source says, and ends. What it must remember from step to step lies
in the file that its argument names. Scenarios that need what it has not, retries above all, it leaves out by exit code 77.

To drive a provisioner of your own, write `brief["users"]` into your source, start a sync, wait for its end, and exit 0.
"""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request

CANNOT = {
    "unavailable": "it tries nothing again",
    "rate-limit": "it knows no Retry-After",
    "rate-limit-date": "it knows no Retry-After",
    "lost-reply": "it does not look for what was created without an answer",
    "lost-delete": "it tries nothing again",
    "unauthorized": "it does not stop at the first 401",
}
SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"


class Target:
    """The SCIM endpoint."""

    def __init__(self, url, token):
        self.url, self.token = url.rstrip("/"), token

    def send(self, method, path, body=None, version=None):
        """Status, body and headers of an answer; a SCIM error is an answer too."""
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Authorization", "Bearer " + self.token)
        request.add_header("Accept", "application/scim+json")
        request.add_header("User-Agent", "drive-example/1")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/scim+json")
        if version:
            request.add_header("If-Match", version)
        try:
            answer = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        except OSError as error:
            raise Failed("no answer came: %s" % error) from error
        with answer:
            text = answer.read().decode()
        try:
            return answer.code, json.loads(text) if text else None, answer.headers
        except ValueError as error:
            raise Failed("the answer, %d, is no JSON" % answer.code) from error

    def find(self, user_name):
        """The account of a user name; none where there is none, or more than one."""
        # json.dumps escapes what is special in the filter's text, quote what is special in a URL.
        wanted = urllib.parse.quote("userName eq " + json.dumps(user_name, ensure_ascii=False), safe="")
        status, found, _ = self.send("GET", "/Users?filter=" + wanted)
        if status != 200:
            raise Failed("the look-up was answered with %d" % status)
        # A server may answer with more than it was asked for.
        exact = [one for one in found.get("Resources", []) if one["userName"].lower() == user_name.lower()]
        return exact[0] if len(exact) == 1 else None

    def read(self, identifier):
        return self.send("GET", "/Users/" + urllib.parse.quote(identifier, safe=""))


class Failed(Exception):
    """One user is not as it should be. The others go on."""


def attributes(person):
    """What is mapped."""
    user = {
        "externalId": person["id"],
        "userName": person["userName"],
        "name": {"givenName": person["givenName"], "familyName": person["familyName"]},
        "active": person["enabled"],
    }
    if "title" in person:
        user["title"] = person["title"]
    if "email" in person:
        user["emails"] = [{"type": "work", "value": person["email"]}]
    return user


def replace(target, identifier, person):
    """Writes the whole account: what was read of it, with what is mapped laid over it. False: it is gone."""
    for _ in range(2):
        status, account, headers = target.read(identifier)
        if status == 404:
            return False
        if status != 200:
            raise Failed("the account cannot be read: %d" % status)
        body = {name: value for name, value in account.items() if name not in ("meta", "groups")}
        body.update(attributes(person))
        body["name"] = {**account.get("name", {}), **body["name"]}
        if body == {name: value for name, value in account.items() if name not in ("meta", "groups")}:
            return True
        path = "/Users/" + urllib.parse.quote(identifier, safe="")
        status, _, _ = target.send("PUT", path, body, headers.get("ETag"))
        if status != 412:  # Somebody was faster: read again, once.
            break
    if status not in (200, 204):
        raise Failed("the change was answered with %d" % status)
    # That a server says so does not make it so.
    _, account, _ = target.read(identifier)
    if not person["enabled"] and account.get("active", True):
        raise Failed("the account is still active")
    return True


def create(target, person):
    """The id of the account of somebody who has none that is known."""
    found = target.find(person["userName"])
    if found is None:
        if not person["enabled"]:
            return None
        status, made, _ = target.send("POST", "/Users", {"schemas": [SCHEMA], **attributes(person)})
        if status == 201:
            return made["id"]
        found = target.find(person["userName"]) if status == 409 else None
        if found is None:
            raise Failed("the creation was answered with %d" % status)
    replace(target, found["id"], person)
    return found["id"]


def bring(target, known, person):
    """Brings one account to what the source says."""
    link = known.get(person["id"])
    if link and link["person"] == person:
        return
    identifier = link["id"] if link else None
    if not (identifier and replace(target, identifier, person)):
        known.pop(person["id"], None)
        identifier = create(target, person)
    if identifier:
        known[person["id"]] = {"id": identifier, "person": person}


def remove(target, known, source_id):
    status, _, _ = target.send("DELETE", "/Users/" + urllib.parse.quote(known[source_id]["id"], safe=""))
    if status not in (204, 404):
        raise Failed("the removal was answered with %d" % status)
    del known[source_id]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: drive_example.py STATE.json, with a step of conformance client on standard input")
    brief = json.load(sys.stdin)
    if brief["scenario"] in CANNOT:
        print(CANNOT[brief["scenario"]])
        sys.exit(77)
    known = {}
    if brief["number"] > 1:
        with open(sys.argv[1], encoding="utf-8") as file:
            known = json.load(file)
    target = Target(brief["scimUrl"], brief["credentials"]["bearer"])
    here = {person["id"] for person in brief["users"]}
    work = [(person["userName"], lambda person=person: bring(target, known, person)) for person in brief["users"]]
    work += [(gone, lambda gone=gone: remove(target, known, gone)) for gone in list(known) if gone not in here]
    for name, act in work:
        try:
            act()
        except Failed as failure:
            # No reason for another exit code than 0: what arrived is judged, and this user is tried in the next sync.
            print("%s: %s" % (name, failure), file=sys.stderr)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(known, file)


if __name__ == "__main__":
    main()

"""mock-aquera from pytest, with nothing but the standard library.

    MOCK_AQUERA=target/release/mock-aquera pytest mock-aquera/examples/python

The program starts once on a free port; each test begins with an application as it was at the start.
"""

import json
import os
import subprocess
import urllib.error
import urllib.request

import pytest

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
# The mock is on this machine: no proxy of the environment is asked.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Client:
    """The client under test: sends JSON, and gives the status and what came back."""

    def __init__(self, base, token=None):
        self.base, self.token = base, token

    def send(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method)
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/scim+json")
        try:
            with DIRECT.open(request, timeout=10) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        return status, json.loads(text) if text else None


@pytest.fixture(scope="session")
def ready():
    program = os.environ.get("MOCK_AQUERA", "mock-aquera")
    options = ["--listen", "127.0.0.1:0", "--json", "--users", "0", "--auth", "bearer:a-token"]
    server = subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(server.stdout.readline())
    finally:
        server.terminate()
        server.wait(timeout=15)
        server.stdout.close()


@pytest.fixture
def mock(ready):
    """Administration of the application at /scim."""
    mock = Client(ready["adminUrl"] + "/applications/default")
    assert mock.send("POST", "/reset")[0] == 204
    return mock


@pytest.fixture
def scim(ready, mock):
    return Client(ready["scimUrl"], "a-token")


def test_a_user_is_made_and_disabled(scim, mock):
    status, user = scim.send("POST", "/Users", {"schemas": [USER], "userName": "ida@example.com"})
    assert (status, user["active"]) == (201, True)

    operation = {"op": "replace", "path": "active", "value": False}
    body = {"schemas": [PATCH_OP], "Operations": [operation]}
    status, user = scim.send("PATCH", f"/Users/{user['id']}", body)
    assert (status, user["active"]) == (200, False)

    status, verdict = mock.send("POST", "/verify", {"request": {"method": "PATCH", "status": 200}, "times": {"exactly": 1}})
    assert verdict["satisfied"], verdict


def test_a_write_whose_answer_is_lost_took_effect(scim, mock):
    assert mock.send("POST", "/faults", {"rule": "status=503 method=POST phase=after"})[0] == 201
    body = {"schemas": [USER], "userName": "ida@example.com"}
    assert scim.send("POST", "/Users", body)[0] == 503
    # Whoever tries again blindly learns that the user is there.
    status, error = scim.send("POST", "/Users", body)
    assert (status, error["scimType"]) == (409, "uniqueness")

    _, exchanges = mock.send("GET", "/journal")
    assert [exchange["status"] for exchange in exchanges] == [503, 409]


def test_a_token_that_is_wrong_is_refused(ready, mock):
    status, error = Client(ready["scimUrl"], "another").send("GET", "/Users")
    assert (status, error["status"]) == (401, "401")

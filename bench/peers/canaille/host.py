"""Canaille with its SQL backend on SQLite and one OAuth client, whose token is TOKEN.     host.py PORT

Installed and started by ../canaille.sh.
"""
import datetime
import os
import sys
import tempfile

import waitress
from canaille import create_app
from canaille.app import models
from canaille.backends import Backend

port = sys.argv[1]
folder = tempfile.TemporaryDirectory()
app = create_app(
    config={
        "SECRET_KEY": "for a server on loopback that holds invented people only",
        "SERVER_NAME": f"127.0.0.1:{port}",
        "PREFERRED_URL_SCHEME": "http",
        "CANAILLE": {"DATABASE": "sql", "LOGGING": {"version": 1, "root": {"level": "ERROR"}}},
        "CANAILLE_SQL": {"DATABASE_URI": f"sqlite:///{folder.name}/db"},
        "CANAILLE_OIDC": {},
        "CANAILLE_SCIM": {"ENABLE_SERVER": True},
    }
)
now = datetime.datetime.now(datetime.timezone.utc)
with app.app_context(), Backend.instance.session():
    client = models.Client(client_id="judge", client_name="judge", scope=[], client_id_issued_at=now)
    Backend.instance.save(client)
    token = models.Token(
        token_id="judge", access_token=os.environ["TOKEN"], client=client, audience=[client], type="access_token",
        refresh_token="", scope=[], issue_date=now, lifetime=86400,
    )
    Backend.instance.save(token)

# The backend holds one database session for all threads.
waitress.serve(app, listen=f"127.0.0.1:{port}", threads=1)

"""A Django project for django-scim2-server with its defaults; TOKEN is the bearer token.     host.py PORT

Installed and started by ../django-scim2-server.sh.
"""
import os
import sys
import tempfile

import django
import waitress
from django.conf import settings
from django.core.management import call_command
from django.urls import include, path

port = sys.argv[1]
folder = tempfile.TemporaryDirectory()


def with_token(request):
    return request.headers.get("Authorization") == f"Bearer {os.environ['TOKEN']}"


settings.configure(
    SECRET_KEY="for a server on loopback that holds invented people only",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_scim2_server"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    APPEND_SLASH=False,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(folder.name, "db"),
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL", "timeout": 30},
        }
    },
    SCIM2_SERVER_AUTH_CHECK=f"{__name__}.with_token",
)

if __name__ == "__main__":
    django.setup()
    urlpatterns = [path("scim/v2/", include("django_scim2_server.urls"))]
    call_command("migrate", run_syncdb=True, verbosity=0)
    from django.core.wsgi import get_wsgi_application

    waitress.serve(get_wsgi_application(), listen=f"127.0.0.1:{port}", threads=4)

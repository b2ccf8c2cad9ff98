"""A Django project for django-scim2 with its default adapters; TOKEN is the bearer token.     host.py PORT

Installed and started by ../django-scim2.sh.
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
settings.configure(
    SECRET_KEY="for a server on loopback that holds invented people only",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_scim", "directory"],
    AUTH_USER_MODEL="directory.User",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    APPEND_SLASH=False,
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        f"{__name__}.with_token",
        "django_scim.middleware.SCIMAuthCheckMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(folder.name, "db"),
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL", "timeout": 30},
        }
    },
    SCIM_SERVICE_PROVIDER={
        "SCHEME": "http",
        "NETLOC": f"127.0.0.1:{port}",
        "GROUP_MODEL": "directory.models.Group",
        "WWW_AUTHENTICATE_HEADER": 'Bearer realm="django-scim2"',
        "AUTHENTICATION_SCHEMES": [
            {"type": "oauthbearertoken", "name": "OAuth Bearer Token", "description": "RFC 6750", "primary": True}
        ],
    },
)


def with_token(get_response):
    """Lets in requests that carry the token; django-scim2 looks for a user that is logged in."""

    def middleware(request):
        from django.contrib.auth.models import AnonymousUser
        from django.contrib.auth import get_user_model

        known = request.headers.get("Authorization") == f"Bearer {os.environ['TOKEN']}"
        request.user = get_user_model()(username="judge") if known else AnonymousUser()
        return get_response(request)

    return middleware


if __name__ == "__main__":
    django.setup()
    urlpatterns = [path("scim/v2/", include("django_scim.urls", namespace="scim"))]
    call_command("migrate", run_syncdb=True, verbosity=0)
    from django.core.wsgi import get_wsgi_application

    waitress.serve(get_wsgi_application(), listen=f"127.0.0.1:{port}", threads=4)

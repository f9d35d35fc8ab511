"""A Django project with djangorestframework-api-key and SQLite, with the middleware of `startproject`.

`python project.py COUNT` creates the database and keys, and prints each key. Served by gunicorn as
`project:application`.
"""

import os
import pathlib
import sys

import django
from django.conf import settings

FOLDER = pathlib.Path(os.environ["PEER_FOLDER"])

settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="a bench needs no secret 17",
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "rest_framework",
        "rest_framework_api_key",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    # The connection to the database stays open.
    DATABASES={"default": {
        "ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "keys.sqlite3", "CONN_MAX_AGE": None,
    }},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_api_key.models import APIKey  # noqa: E402
from rest_framework_api_key.permissions import HasAPIKey  # noqa: E402


class Orders(APIView):
    """Answers 200 to a request with a key."""

    permission_classes = [HasAPIKey]

    def get(self, request):
        return Response({"valid": True})


urlpatterns = [path("orders/7", Orders.as_view())]
application = get_wsgi_application()


def fill(count):
    call_command("migrate", verbosity=0)
    keys = [APIKey(name=f"build bot {number}") for number in range(count)]
    for key in keys:
        print("Api-Key", APIKey.objects.assign_key(key))
    APIKey.objects.bulk_create(keys)


if __name__ == "__main__":
    fill(int(sys.argv[1]))

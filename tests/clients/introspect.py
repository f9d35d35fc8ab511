"""Authlib as a protected resource: each line of stdin is a token and the required scope; each line of stdout is Authlib's decision."""

import os
import sys
from types import SimpleNamespace

from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2 import OAuth2Error, ResourceProtector
from authlib.oauth2.rfc7662 import IntrospectTokenValidator

session = OAuth2Session("checker", os.environ["KEYHOUSE_KEY"], token_endpoint_auth_method="client_secret_basic")


class Validator(IntrospectTokenValidator):
    def introspect_token(self, token_string):
        url = os.environ["KEYHOUSE_URL"] + "/v1/introspect"
        answer = session.introspect_token(url, token=token_string, token_type_hint="access_token")
        answer.raise_for_status()
        return answer.json()


protector = ResourceProtector()
protector.register_token_validator(Validator())
for line in sys.stdin:
    token, scope = line.split()
    request = SimpleNamespace(headers={"Authorization": f"Bearer {token}"})
    try:
        token_info = protector.validate_request([scope], request)
    except OAuth2Error as refused:
        print(refused.error)
    else:
        print(token_info["client_id"], token_info["sub"])

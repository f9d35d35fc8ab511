"""Checks whether the key on stdin has the permission in the first argument.

Exit status 0: yes. 4: no; stdout has the code. Any other: the check failed.
"""

import os
import sys

import requests

body = {"key": sys.stdin.read().strip(), "permissions": sys.argv[1]}
# The key is sent with Basic authentication, because a netrc file would replace an Authorization
# header.
credentials = ("check", os.environ["KEYHOUSE_KEY"])
response = requests.post(os.environ["KEYHOUSE_URL"] + "/v1/verify", json=body, auth=credentials, timeout=2, allow_redirects=False)
response.raise_for_status()
verdict = response.json()
print(verdict["code"])
sys.exit(0 if verdict["valid"] is True else 4)

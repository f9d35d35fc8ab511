"""May a key, read from stdin, do what the first argument names? Exit status 0: yes; 4: no, and why; else: nobody knows."""

import os
import sys

import requests

asked = {"key": sys.stdin.read().strip(), "permissions": sys.argv[1]}
# As Basic: a netrc would replace an Authorization header, but not this.
own = ("check", os.environ["KEYHOUSE_KEY"])
answer = requests.post(os.environ["KEYHOUSE_URL"] + "/v1/verify", json=asked, auth=own, timeout=2, allow_redirects=False)
answer.raise_for_status()
verdict = answer.json()
print(verdict["code"])
sys.exit(0 if verdict["valid"] is True else 4)

#!/usr/bin/env python3
"""Compares a running keyhouse with its API description: runs every check of schemathesis as owner, as user, with a key and without a credential.

Each run has its own server and store, so that the changes of one run do not affect another. A run fails if its
credential is no longer valid at the end.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
EMAIL, PASSWORD = "owner@schemathesis.example", "no example has this password 17"
USER_EMAIL = "user@schemathesis.example"
SEED = 20261121
START_SECONDS_MAX = 60
ACTORS = ["owner", "user", "key", "anonymous"]


class Session:
    """A caller with a session's cookie."""

    void_if_done = "signOut"
    shows_itself = "/v1/session"

    def __init__(self, cookie):
        self.cookie = cookie

    def headers(self):
        return {"Cookie": f"keyhouse={self.cookie}"}

    def settings(self):
        return f'[auth.openapi.session]\napi_key = "{self.cookie}"\n'


class Key:
    """A caller with a key."""

    void_if_done = "revokeMe"
    shows_itself = "/v1/whoami"

    def __init__(self, secret):
        self.secret = secret

    def headers(self):
        return {"Authorization": f"Bearer {self.secret}"}

    def settings(self):
        return f'[auth.openapi.bearer]\nbearer = "{self.secret}"\n'


class Server:
    """`keyhouse serve` on an empty store, with its first owner."""

    def __init__(self, binary, folder):
        folder = pathlib.Path(folder)
        password = folder / "password"
        password.touch(mode=0o600)
        password.write_text(PASSWORD + "\n")
        command = [binary, "serve", "--data", folder / "data", "--listen", "127.0.0.1:0"]
        command += ["--admin-email", EMAIL, "--admin-password-file", password]
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "KEYHOUSE_CHANGE_RATE": "off"}
        self.process = subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        self.lines = []
        self.listening = threading.Event()
        self.url = ""
        threading.Thread(target=self.follow, daemon=True).start()
        if not self.listening.wait(START_SECONDS_MAX) or not self.url:
            self.stop()
            sys.exit("keyhouse serve did not start:\n" + "".join(self.lines))

    def follow(self):
        for line in self.process.stderr:
            self.lines = [*self.lines[-40:], line]
            found = re.search(r"listening on (http://[^\s\"]+)", line)
            if found:
                self.url = found.group(1)
                self.listening.set()
        self.listening.set()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(START_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def ask(self, method, path, body=None, who=None):
        """Returns the status, the body, and the session's cookie if the response sets one."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers.update(who.headers() if who else {})
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, sent, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                given = re.match(r"keyhouse=([^;]*)", answer.headers.get("Set-Cookie", ""))
                return answer.status, answer.read().decode(), given and given.group(1)
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode(), None

    def must(self, method, path, body=None, who=None):
        status, text, given = self.ask(method, path, body, who)
        if status >= 300:
            sys.exit(f"{method} {path}: {status} {text}")
        return (json.loads(text) if text else None), given

    def owner(self):
        signed_in = self.must("POST", "/v1/session", {"email": EMAIL, "password": PASSWORD})
        return Session(signed_in[1])

    def user(self):
        invitation = {"email": USER_EMAIL, "role": "user", "name": "Grace"}
        made, _ = self.must("POST", "/v1/invitations", invitation, self.owner())
        token = made["url"].partition("#token=")[2]
        accepted = {"token": token, "name": "Grace", "password": PASSWORD}
        return Session(self.must("POST", "/v1/invitations/accept", accepted)[1])

    def key(self):
        everything = ["*", "keyhouse:*", "keyhouse:instance:*"]
        wanted = {"name": "schemathesis", "kind": "service", "permissions": everything}
        return Key(self.must("POST", "/v1/keys", wanted, self.owner())[0]["secret"])

    def anonymous(self):
        return None


def settings(folder, who):
    """Returns the settings of a run: the common settings, the caller, and the operation that this caller omits."""
    text = (HERE / "schemathesis.toml").read_text()
    if who:
        text += f'\n[[operations]]\ninclude-operation-id = "{who.void_if_done}"\nenabled = false\n\n{who.settings()}'
    path = pathlib.Path(folder) / "schemathesis.toml"
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def run(binary, actor, examples, words):
    """Performs one run. Returns whether it passed, and its output."""
    with tempfile.TemporaryDirectory(prefix="keyhouse-") as folder:
        server = Server(binary, folder)
        try:
            who = getattr(server, actor)()
            schemathesis = pathlib.Path(sys.executable).parent / "schemathesis"
            command = [schemathesis, "--config-file", settings(folder, who), "run"]
            command += [server.url + "/openapi.json", "--checks", "all", "--mode", "all"]
            command += ["--max-examples", str(examples), "--seed", str(SEED), "--no-color"]
            command += ["--continue-on-failure", "--generation-database", "none", *words]
            environment = {
                **os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE), "KEYHOUSE_ACTOR": actor,
            }
            done = subprocess.run(
                command, cwd=folder, env=environment, text=True, errors="replace",
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
            said, passed = done.stdout, done.returncode == 0
            if who and server.ask("GET", who.shows_itself, who=who)[0] != 200:
                said, passed = said + "\nvoid: the run ended its own session or key\n", False
            if server.process.poll() is not None:
                said, passed = said + "\nthe server ended:\n" + "".join(server.lines), False
            return passed, said
        finally:
            server.stop()


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("binary", help="the keyhouse to ask")
    arguments.add_argument("--as", dest="actors", action="append", choices=ACTORS)
    arguments.add_argument("--examples", type=int, default=10)
    given, words = arguments.parse_known_args()  # what else is said is for schemathesis
    binary = str(pathlib.Path(given.binary).resolve())
    failed = []
    results = {}

    def keep(actor):
        began = time.monotonic()
        try:
            passed, said = run(binary, actor, given.examples, words)
        except (Exception, SystemExit) as error:
            passed, said = False, f"{error}"
        results[actor] = passed, said, time.monotonic() - began

    threads = [threading.Thread(target=keep, args=[actor]) for actor in given.actors or ACTORS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for actor, (passed, said, seconds) in results.items():
        shown = said if not passed else "\n".join(said.strip().splitlines()[-8:])
        print(f"-- as {actor} ({seconds:.0f} s)\n{shown}\n")
        if not passed:
            failed.append(actor)
    if failed:
        sys.exit("schemathesis found something as " + ", ".join(failed))


main()

#!/usr/bin/env python3
"""Holds a running keyhouse to its own description: every check of schemathesis, asked as owner, as user, as nobody.

Each run has a server and a store of its own, so that what one breaks no other misses. A run whose
own sign-in did not last to its end proves nothing and fails.
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
ACTORS = ["owner", "user", "nobody"]


class Server:
    """`keyhouse serve` on an empty store, with its first owner."""

    def __init__(self, binary, folder):
        folder = pathlib.Path(folder)
        password = folder / "password"
        password.touch(mode=0o600)
        password.write_text(PASSWORD + "\n")
        command = [binary, "serve", "--data", folder / "data", "--listen", "127.0.0.1:0"]
        command += ["--admin-email", EMAIL, "--admin-password-file", password]
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
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

    def ask(self, method, path, body=None, cookie=None):
        """Status, body, and the session's cookie where one was given."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if cookie:
            headers["Cookie"] = f"keyhouse={cookie}"
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, sent, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                given = re.match(r"keyhouse=([^;]*)", answer.headers.get("Set-Cookie", ""))
                return answer.status, answer.read().decode(), given and given.group(1)
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode(), None

    def must(self, method, path, body=None, cookie=None):
        status, text, given = self.ask(method, path, body, cookie)
        if status >= 300:
            sys.exit(f"{method} {path}: {status} {text}")
        return (json.loads(text) if text else None), given

    def owner(self):
        return self.must("POST", "/v1/session", {"email": EMAIL, "password": PASSWORD})[1]

    def user(self):
        invitation = {"email": USER_EMAIL, "role": "user", "name": "Grace"}
        made, _ = self.must("POST", "/v1/invitations", invitation, self.owner())
        token = made["url"].partition("#token=")[2]
        accepted = {"token": token, "name": "Grace", "password": PASSWORD}
        return self.must("POST", "/v1/invitations/accept", accepted)[1]


def settings(folder, cookie):
    """The settings of a run: the common ones, and who asks."""
    text = (HERE / "schemathesis.toml").read_text()
    if cookie:
        text += f'\n[auth.openapi.session]\napi_key = "{cookie}"\n'
    path = pathlib.Path(folder) / "schemathesis.toml"
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def run(binary, actor, examples, words):
    """One run. Whether it passed, and what it said."""
    with tempfile.TemporaryDirectory(prefix="keyhouse-") as folder:
        server = Server(binary, folder)
        try:
            cookie = {"owner": server.owner, "user": server.user, "nobody": lambda: None}[actor]()
            schemathesis = pathlib.Path(sys.executable).parent / "schemathesis"
            command = [schemathesis, "--config-file", settings(folder, cookie), "run"]
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
            if cookie and server.ask("GET", "/v1/session", cookie=cookie)[0] != 200:
                said, passed = said + "\nvoid: the run ended its own session\n", False
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

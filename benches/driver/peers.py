"""What a check costs in other systems for API keys, beside Keyhouse.

Each system has 10,000 keys, receives all of them in turn with the same headers on 64 connections, and answers 200 or
refuses. CPU time is that of the system and of its Redis. None forwards a request, and each keeps its connections to its
database open. benches/peers has the systems with one process each. nginx with Lua and FastAPI are written for this
bench: they look the SHA-256 digest of a key up in a dictionary or in Redis, and note the key's last use, as Keyhouse
does. With Redis that is a read and a write in turn; FastAPI has the Python parser of redis-py, and hiredis would be
faster. Better Auth (in SQLite with a write-ahead log, without its limit of 10 checks a day and without its optional
secondary storage), Django REST Framework API Key (in SQLite) and Express Gateway (in Redis) are otherwise as their
documentation sets them up. The goals are the multiples that were expected before the measurement.
"""

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import shutil
import socket

from . import load
from .figures import Goal, Row, Table, ratios
from .http import FORWARD_AUTH, HEADERS
from .keyhouse import Keyhouse, key_texts, with_keys
from .process import Failed, Program, free_port, run as run_program

KEYS = 10_000
PEERS = pathlib.Path("benches/peers")
PATH = "/orders/7"
GOALS = {
    "nginx with Lua, dictionary": 2,
    "nginx with Lua, Redis": 6,
    "Better Auth, SQLite": 100,
    "Django REST Framework API Key, SQLite": 200,
    "FastAPI, Redis": 40,
    "Express Gateway, Redis": 50,
}


@dataclasses.dataclass
class Peer:
    """A running system: the server that answers, all servers whose CPU time counts, and the request."""

    name: str
    server: Program
    others: list
    request: load.Request

    def verify(self):
        """A known key passes, and an unknown one does not."""
        known, unknown = self.request.texts[0], self.request.texts[0][:-6] + "000000"
        passed, refused = (self.request.ask(self.server.port, text)[0] for text in (known, unknown))
        if passed != 200 or refused not in (401, 403):
            raise Failed(f"{self.name}: {passed} with a key, {refused} with an unknown one")

    def measure(self, options):
        """CPU microseconds per check."""
        servers = [self.server, *self.others]
        count, used = load.cpu_at_full_speed(servers, self.server.port, self.request, options)
        if count.refused:
            raise Failed(f"{self.name}: {count.refused} of {count.requests} requests were refused")
        return used


def run(options):
    texts = list(key_texts(KEYS))
    data = with_keys(options, KEYS)
    with contextlib.ExitStack() as stack:
        started = []
        log = options.folder / "keyhouse.log"
        keyhouse = stack.enter_context(Keyhouse(options.binary, data, log))
        check = load.Request(FORWARD_AUTH, texts, headers=HEADERS)
        started.append(Peer("Keyhouse", keyhouse, [], check))
        starts = [start_dictionary, start_redis, start_better_auth, start_django, start_fastapi, start_express_gateway]
        for name, start in zip(GOALS, starts):
            options.say(f"starting {name}")
            folder = options.folder / start.__name__
            folder.mkdir()
            (folder / "texts.txt").write_text("\n".join(texts) + "\n")
            server, others, request = start(stack, options, folder, dataclasses.replace(check, path=PATH))
            started.append(Peer(name, server, others, request))
        for peer in started:
            peer.verify()
        cpu = {peer.name: [] for peer in started}
        for number in range(options.rounds):
            options.say(f"round {number + 1} of {options.rounds}")
            for peer in started:
                cpu[peer.name].append(peer.measure(options))
    rows = [Row("Keyhouse", cpu["Keyhouse"])]
    for name, least in GOALS.items():
        rows.append(Row(name, cpu[name], ratios(cpu[name], cpu["Keyhouse"]), Goal(least, at_least=True)))
    return [Table("CPU per check", "us", rows, "Keyhouse", f"64 connections, {options.seconds} s a round.")]


def records(texts):
    """The digest of each key with its record as JSON."""
    for number, text in enumerate(texts):
        record = {"name": f"build bot {number}", "permissions": ["diagrams:read"], "disabled": False}
        yield hashlib.sha256(text.encode()).hexdigest(), json.dumps(record)


def started_redis(stack, folder):
    """Redis on a free port, without files."""
    port = free_port()
    command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return stack.enter_context(Program(command, folder / "redis.log", port, folder=folder).wait_for_port())


def fill_redis(port, texts):
    """Sets a record for each key."""
    pairs = [("key:" + digest, record) for digest, record in records(texts)]
    sent = "".join(f"*3\r\n$3\r\nSET\r\n${len(key)}\r\n{key}\r\n${len(value)}\r\n{value}\r\n" for key, value in pairs)
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as answers:
        connection.sendall(sent.encode())
        for key, _ in pairs:
            answer = answers.readline()
            if answer != b"+OK\r\n":
                raise Failed(f"Redis did not set {key}: {answer}")


def write(source, target, **values):
    """Copies a file of benches/peers with its placeholders replaced."""
    text = (PEERS / source).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    target.write_text(text)


def started_nginx(stack, folder, configuration, port, redis=""):
    write(f"nginx/{configuration}", folder / "nginx.conf", PORT=port, REDIS=redis)
    command = ["nginx", "-e", "stderr", "-p", f"{folder}/", "-c", "nginx.conf"]
    return stack.enter_context(Program(command, folder / "nginx.log", port).wait_for_port())


def python_path(name):
    """The environment with which Python finds a system of benches/peers, and writes nothing beside it."""
    return {"PYTHONPATH": str((PEERS / name).resolve()), "PYTHONDONTWRITEBYTECODE": "1"}


def start_dictionary(stack, _options, folder, request):
    lines = [f"{digest} {record}\n" for digest, record in records(request.texts)]
    (folder / "records.txt").write_text("".join(lines))
    return started_nginx(stack, folder, "dict.conf", free_port()), [], request


def start_redis(stack, _options, folder, request):
    redis = started_redis(stack, folder)
    fill_redis(redis.port, request.texts)
    return started_nginx(stack, folder, "redis.conf", free_port(), redis.port), [redis], request


def start_better_auth(stack, options, folder, request):
    port = free_port()
    script = options.work / "better-auth" / "server.mjs"
    shutil.copy(PEERS / "better-auth" / "server.mjs", script)
    environment = {"NODE_ENV": "production"}
    program = Program(["node", script, port, folder], folder / "log", port, environment)
    return stack.enter_context(program.wait_for_port()), [], request


def start_django(stack, options, folder, request):
    port, python = free_port(), options.work / "peers" / "bin" / "python"
    environment = {"PEER_FOLDER": str(folder), **python_path("django")}
    texts = run_program(python, PEERS / "django" / "project.py", len(request.texts), env=environment).splitlines()
    command = [python, "-m", "gunicorn", "project:application", "--bind", f"127.0.0.1:{port}", "--workers", 1]
    command += ["--worker-class", "gthread", "--threads", 4, "--keep-alive", 75]
    program = Program(command, folder / "log", port, environment, folder)
    return (stack.enter_context(program.wait_for_port()), [],
            dataclasses.replace(request, texts=texts, header="Authorization"))


def start_fastapi(stack, options, folder, request):
    port, redis = free_port(), started_redis(stack, folder)
    fill_redis(redis.port, request.texts)
    environment = {"REDIS_PORT": str(redis.port), **python_path("fastapi")}
    command = [options.work / "peers" / "bin" / "python", "-m", "uvicorn", "service:app", "--port", port]
    command += ["--log-level", "warning", "--no-access-log"]
    program = Program(command, folder / "log", port, environment, folder)
    return stack.enter_context(program.wait_for_port()), [redis], request


def start_express_gateway(stack, options, folder, request):
    port, redis = free_port(), started_redis(stack, folder)
    installed = options.work / "express-gateway"
    shutil.copytree(installed / "node_modules/express-gateway/lib/config/models", folder / "models")
    for name in ("gateway.config.yml", "system.config.yml"):
        write(f"express-gateway/{name}", folder / name, PORT=port, REDIS=redis.port)
    for name in ("fill.js", "server.js"):
        shutil.copy(PEERS / "express-gateway" / name, installed / name)
    texts = run_program("node", installed / "fill.js", folder, len(request.texts)).splitlines()
    environment = {"NODE_ENV": "production", "LOG_LEVEL": "error"}
    program = Program(["node", installed / "server.js", folder], folder / "log", port, environment)
    return (stack.enter_context(program.wait_for_port()), [redis],
            dataclasses.replace(request, texts=texts, header="Authorization"))

"""What a check adds to a request through a proxy: Keyhouse beside a server that always answers 204.

The proxies run the files of examples/nginx and examples/caddy; only the address of the check differs. The static 204 is
nginx with `return 204`. CPU time is that of the proxy, of the application, which is part of the proxy here, and of the
server that answers the check. What a check adds is the difference to the same proxy without a check. Keyhouse has
one key here.
"""

import contextlib
import dataclasses
import pathlib
import statistics

from . import load
from .figures import Goal, Row, Table, ratios
from .http import start_nginx
from .keyhouse import Keyhouse, key_texts
from .process import Failed, Program, free_port

# Requests per second at which response times are measured.
RATE = 1_000
GOAL = Goal(1.10)
# Each proxy in turn: without a check, then the checks with the static one before Keyhouse's.
VARIANTS = ["no check", "static 204, TCP", "Keyhouse, TCP", "static 204, Unix socket", "Keyhouse, Unix socket"]


@dataclasses.dataclass
class Proxied:
    """A proxy with one kind of check, and the servers whose CPU time counts."""

    variant: str
    proxy: Program
    servers: list


def run(options):
    folder = options.folder
    with contextlib.ExitStack() as stack:
        sockets = folder / "sockets"
        sockets.mkdir()
        arguments = ["--check-listen", f"unix:{sockets}/checks.sock"]
        keyhouse = stack.enter_context(Keyhouse(options.binary, folder / "data", folder / "log", arguments))
        static = stack.enter_context(start_nginx(folder, 204, f"listen unix:{folder}/static.sock;"))
        request = load.Request("/orders/7", [keyhouse.create_key()], headers={"User-Agent": "curl/8.5.0"})
        checks = {
            "no check": ([], "", ""),
            "static 204, TCP": ([static], f"127.0.0.1:{static.port}", f"127.0.0.1:{static.port}"),
            "Keyhouse, TCP": ([keyhouse], f"127.0.0.1:{keyhouse.port}", f"127.0.0.1:{keyhouse.port}"),
            "static 204, Unix socket": ([static], f"unix:{folder}/static.sock", f"unix/{folder}/static.sock"),
            "Keyhouse, Unix socket": ([keyhouse], f"unix:{sockets}/checks.sock", f"unix/{sockets}/checks.sock"),
        }
        tables = []
        for name, start, place in [("nginx", start_nginx_example, 1), ("Caddy", start_caddy_example, 2)]:
            several = []
            for variant in VARIANTS:
                at = folder / f"{name}-{len(several)}"
                at.mkdir()
                proxy = stack.enter_context(start(at, checks[variant][place]))
                several.append(Proxied(variant, proxy, [proxy, *checks[variant][0]]))
            verify(several, request)
            tables += measure(options, name, several, request)
        return tables


def verify(several, request):
    """Each proxy answers with a key, and only those that ask Keyhouse refuse an unknown key and name a known one."""
    for proxied in several:
        status, _, body = request.ask(proxied.proxy.port)
        named = "X-Keyhouse-Key: key_" in body
        refused = request.ask(proxied.proxy.port, next(key_texts(1)))[0] == 401
        decides = proxied.variant.startswith("Keyhouse")
        if (status, named, refused) != (200, decides, decides):
            raise Failed(f"{proxied.variant}: status {status}, key named: {named}, unknown key refused: {refused}")


def measure(options, name, several, request):
    cpu, median, most = ({it.variant: [] for it in several} for _ in range(3))
    for number in range(options.rounds):
        options.say(f"{name}, round {number + 1} of {options.rounds}")
        for proxied in several:
            count, used = load.cpu_at_full_speed(proxied.servers, proxied.proxy.port, request, options)
            if count.refused:
                raise Failed(f"{name}, {proxied.variant}: {count.refused} requests were refused")
            cpu[proxied.variant].append(used)
        for proxied in several:
            waits = load.at_constant_rate(
                options.load, proxied.proxy.port, request, [200], options.folder, RATE, options.seconds, 32
            )
            median[proxied.variant].append(waits.p50)
            most[proxied.variant].append(waits.p99)
    about = f"64 connections, {options.seconds} s a round."
    at_rate = f"At {RATE:,} requests per second on 32 connections."
    return [
        Table(f"{name}: CPU per request", "us", rows(cpu) + added(cpu), "static 204", about),
        Table(f"{name}: median of the response time", "us", rows(median) + added(median), "static 204", at_rate,
              needs_quiet=True),
        Table(f"{name}: 99th percentile of the response time", "us", rows(most), "static 204", at_rate,
              needs_quiet=True),
    ]


def rows(values):
    """The values as they are, those of Keyhouse with the ratio to the static check over the same transport."""
    whole = [Row(variant, values[variant]) for variant in VARIANTS]
    for static, keyhouse in [(1, 2), (3, 4)]:
        whole[keyhouse].ratios = ratios(whole[keyhouse].values, whole[static].values)
        whole[keyhouse].goal = GOAL
    return whole


def added(values):
    """What the checks add to the median without a check. A difference of two single rounds would be noisy."""
    without = statistics.median(values["no check"])
    differences = {variant: [value - without for value in values[variant]] for variant in VARIANTS[1:]}
    found = [Row(f"added by {variant}", several) for variant, several in differences.items()]
    for static, keyhouse in [(0, 1), (2, 3)]:
        if min(found[static].values) > 0:
            found[keyhouse].ratios = ratios(found[keyhouse].values, found[static].values)
            found[keyhouse].goal = GOAL
    return found


def start_nginx_example(folder, check):
    """The nginx example on other ports; without a check if `check` is empty."""
    changes = {"server 127.0.0.1:7117;": f"server {check};"} if check else {"auth_request /_keyhouse;": ""}
    port = write_example("examples/nginx/nginx.conf", folder / "nginx.conf", changes)
    command = ["nginx", "-e", "stderr", "-p", folder, "-c", "nginx.conf", "-g", "user root;"]
    return Program(command, folder / "log", port, folder=folder).wait_for_port()


def start_caddy_example(folder, check):
    """The Caddy example on other ports; without a check if `check` is empty."""
    example = pathlib.Path("examples/caddy/Caddyfile")
    changes = {"forward_auth 127.0.0.1:7117 {": f"forward_auth {check} {{"}
    if not check:
        begun = example.read_text().index("\t\tforward_auth ")
        end = example.read_text().index("\n\t\t}\n", begun) + len("\n\t\t}\n")
        changes = {example.read_text()[begun:end]: ""}
    port = write_example(example, folder / "Caddyfile", changes)
    command = ["caddy", "run", "--config", "Caddyfile"]
    return Program(command, folder / "log", port, folder=folder).wait_for_port()


def write_example(example, target, changes):
    """Writes an example with other ports, and returns the port for clients."""
    text, port, application = pathlib.Path(example).read_text(), free_port(), free_port()
    for shipped, used in changes.items():
        if text.count(shipped) != 1:
            raise Failed(f"{example} has {shipped!r} {text.count(shipped)} times, not once")
        text = text.replace(shipped, used)
    target.write_text(text.replace(":8080", f":{port}").replace(":8081", f":{application}"))
    return port

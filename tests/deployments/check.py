"""Checks the deployment examples against their schemas, against each other and against the program.

    check.py PROGRAM CHECKOUT

Prints a line for each fault. Names, ports, users, paths and headers of one file must exist in the others; the settings
of each container must be without fault for `PROGRAM config check`.
"""

import pathlib
import re
import subprocess
import sys

import compose_spec
import kubernetes_validate
import yaml

KUBERNETES = "1.37"
USER = 65532
# Kinds that a cluster gets from its proxy or from the Prometheus Operator. No package has their schemas.
FOREIGN_GROUPS = [
    "gateway.envoyproxy.io",
    "gateway.networking.k8s.io",
    "monitoring.coreos.com",
    "traefik.io",
]
# Namespaces of the proxy and of Prometheus.
CONTROLLER_NAMESPACE, MONITORING_NAMESPACE = "ingress", "monitoring"

faults = []


def main():
    program, checkout = sys.argv[1], pathlib.Path(sys.argv[2])
    version = re.search(r'^version = "(.*)"', (checkout / "Cargo.toml").read_text(), re.M)[1]
    reference = (checkout / "docs/reference/headers.md").read_text()
    identity = re.findall(r"^\| `(X-Keyhouse-[A-Za-z-]+)`", reference.split("## ")[1], re.M)
    examples = checkout / "examples"
    check_compose(examples / "compose", program, version)
    check_kubernetes(examples / "kubernetes", program, version, identity)
    print("\n".join(faults))
    sys.exit(1 if faults else 0)


def expect(place, actual, wanted):
    if actual != wanted:
        faults.append(f"{place}: {actual!r} in place of {wanted!r}")


def check_settings(place, program, env):
    env = {"KEYHOUSE_DATA": "/var/lib/keyhouse", **env}
    ended = subprocess.run([program, "config", "check"], env=env, capture_output=True, text=True)
    # A variable that is no setting is a warning on stderr.
    expect(place, (ended.returncode, ended.stderr), (0, "the settings have no faults\n"))


def check_compose(folder, program, version):
    text = (folder / "compose.yaml").read_text()
    try:
        parsed = compose_spec.PyCompose.from_yaml(text)
        parsed.validate()
    except ValueError as error:
        faults.append(f"compose.yaml: {error}")
        return
    compose = yaml.safe_load(text)
    caddyfile = (folder / "Caddyfile").read_text()
    service, proxy = compose["services"]["keyhouse"], compose["services"]["caddy"]
    env = service["environment"]
    expect("compose image", service["image"], f"localhost/keyhouse:{version}")
    expect("compose user", service["user"], f"{USER}:{USER}")
    expect("compose rights", (service["read_only"], service["cap_drop"]), (True, ["ALL"]))
    expect("compose health check", service["healthcheck"]["test"], ["CMD", "/keyhouse", "healthcheck"])
    mounts = dict(reversed(volume.split(":")[:2]) for volume in service["volumes"])
    expect("compose data", mounts.get("/var/lib/keyhouse"), "data")
    expect("compose backups", env["KEYHOUSE_BACKUP_DIRECTORY"] in mounts, True)
    expect("compose seal key", env["KEYHOUSE_SEAL_KEY_FILE"], f"/run/secrets/{service['secrets'][0]}")
    check_settings("compose settings", program, env)

    network = compose["networks"]["checks"]
    expect("compose proxy", env["KEYHOUSE_TRUSTED_PROXY"], proxy["networks"]["checks"]["ipv4_address"])
    inside = [name for name, it in compose["services"].items() if "checks" in it["networks"]]
    expect("compose network of checks", (inside, network["internal"]), (["keyhouse", "caddy"], True))
    expect("compose ports", ("ports" in service, proxy["ports"]), (False, ["80:80", "443:443", "443:443/udp"]))

    port = env["KEYHOUSE_LISTEN"].rpartition(":")[2]
    called = re.findall(r"^\s*(?:reverse_proxy|forward_auth) keyhouse:(\d+)", caddyfile, re.M)
    expect("Caddyfile's ports of Keyhouse", called, [port, port])
    host = env["KEYHOUSE_PUBLIC_URL"].removeprefix("https://")
    expect("Caddyfile's names", re.findall(r"^([a-z.]+) \{", caddyfile, re.M), [host, "api.example.com"])
    single = (folder.parent / "caddy/Caddyfile").read_text()
    expect("Caddyfile's route", route_of(caddyfile), route_of(single).replace("127.0.0.1:7117", f"keyhouse:{port}"))


def route_of(caddyfile):
    return re.search(r"^\troute \{$.*?^\t\}$", caddyfile, re.M | re.S)[0]


def check_kubernetes(folder, program, version, identity):
    objects = {}
    for path in sorted(folder.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            check_schema(path.name, document)
            meta = document["metadata"]
            objects[path.name, document["kind"], meta.get("namespace"), meta["name"]] = document
    own = {key[1:]: value for key, value in objects.items() if key[0] == "keyhouse.yaml"}
    state = own["StatefulSet", "keyhouse", "keyhouse"]["spec"]
    pod = state["template"]["spec"]
    container = pod["containers"][0]
    env = {item["name"]: item["value"] for item in container["env"]}
    check_settings("StatefulSet settings", program, env)
    check_pod("StatefulSet", pod, version)
    expect("StatefulSet replicas", state["replicas"], 1)

    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    listens = {"http": "KEYHOUSE_LISTEN", "checks": "KEYHOUSE_CHECK_LISTEN", "metrics": "KEYHOUSE_METRICS_LISTEN"}
    expect("StatefulSet ports", ports, {name: int(env[it].rpartition(":")[2]) for name, it in listens.items()})
    probes = {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}
    for name, path in probes.items():
        expect(name, container[name]["httpGet"], {"path": path, "port": "checks"})
    below = [mount["mountPath"] for mount in container["volumeMounts"]]
    # Below the root of the volume, which Kubernetes opens to the group.
    for setting in ["KEYHOUSE_DATA", "KEYHOUSE_BACKUP_DIRECTORY", "KEYHOUSE_SEAL_KEY_FILE"]:
        expect(setting, [env[setting].startswith(f"{path}/") for path in below].count(True), 1)
    claims = [claim["metadata"]["name"] for claim in state["volumeClaimTemplates"]]
    named = sorted([*claims, *(volume["name"] for volume in pod["volumes"])])
    expect("StatefulSet mounts", sorted(mount["name"] for mount in container["volumeMounts"]), named)

    labels = state["template"]["metadata"]["labels"]
    services = {}
    for (kind, namespace, name), it in own.items():
        if kind == "Service":
            expect(f"Service {name}", it["spec"]["selector"], labels)
            services[name] = it
            for port in it["spec"]["ports"]:
                expect(f"Service {name} port", port["port"], ports.get(port["targetPort"]))
    checks = services["keyhouse-checks"]["spec"]
    expect("Service keyhouse-checks without readiness", checks.get("publishNotReadyAddresses"), True)
    policy = own["NetworkPolicy", "keyhouse", "keyhouse"]["spec"]
    for kind in ["PodDisruptionBudget", "NetworkPolicy"]:
        spec = own[kind, "keyhouse", "keyhouse"]["spec"]
        expect(kind, spec.get("podSelector", spec.get("selector"))["matchLabels"], labels)
    allowed = {
        rule["from"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]: [
            port["port"] for port in rule["ports"]
        ]
        for rule in policy["ingress"]
    }
    wanted = {CONTROLLER_NAMESPACE: ["http", "checks"], MONITORING_NAMESPACE: ["metrics"]}
    expect("NetworkPolicy", (allowed, policy["egress"]), (wanted, []))

    job = objects["restore.yaml", "Job", "keyhouse", "keyhouse-restore"]["spec"]["template"]["spec"]
    check_pod("Job", job, version)
    restored = {item["name"]: item["value"] for item in job["containers"][0]["env"]}
    expect("Job settings", {name: env[name] for name in restored}, restored)
    expect("Job mounts", job["containers"][0]["volumeMounts"], container["volumeMounts"])
    used = [it["persistentVolumeClaim"]["claimName"] for it in job["volumes"] if "persistentVolumeClaim" in it]
    expect("Job claims", used, [f"{claim}-keyhouse-0" for claim in claims])

    check_proxies(objects, services, env, identity)


def check_pod(place, pod, version):
    container, rights = pod["containers"][0], pod["securityContext"]
    expect(f"{place} image", container["image"], f"registry.example.com/keyhouse:{version}")
    expect(f"{place} user", [rights[it] for it in ("runAsUser", "runAsGroup", "fsGroup")], [USER] * 3)
    expect(f"{place} seccomp", rights["seccompProfile"], {"type": "RuntimeDefault"})
    confined = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    expect(f"{place} rights", container["securityContext"], confined)
    expect(f"{place} links", pod["enableServiceLinks"], False)


def check_schema(file, document):
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        expect(f"{file} {document['kind']}", document["apiVersion"].split("/")[0] in FOREIGN_GROUPS, True)
    except kubernetes_validate.ValidationError as error:
        faults.append(f"{file} {document['kind']}: {error.message}")


def check_proxies(objects, services, env, identity):
    """Each reference to a Service of Keyhouse names one of its ports, and each list of headers is complete."""
    lower = [name.lower() for name in identity]
    host = env["KEYHOUSE_PUBLIC_URL"].removeprefix("https://")
    pages = 0
    for (file, kind, _, name), it in objects.items():
        place = f"{file} {kind} {name}"
        for reference in references(it):
            service = services.get(reference["name"])
            port = reference["port"]
            port = port if not isinstance(port, dict) else port.get("name", port.get("number"))
            known = [value for it in service["spec"]["ports"] for value in (it["name"], it["port"])] if service else []
            expect(f"{place}: {reference}", port in known, True)
        for service, port, path in re.findall(r"http://([a-z-]+)\.keyhouse\.svc\.cluster\.local:(\d+)(/\S*)", yaml.dump(it, width=1000)):
            known = [it["port"] for it in services[service]["spec"]["ports"]]
            expect(place, (int(port) in known, path), (True, "/v1/forward-auth/default"))
        if kind in ("Ingress", "IngressRoute", "HTTPRoute") and name == "keyhouse":
            pages += 1
            expect(place, host in yaml.dump(it), True)
    expect("pages", pages, 3)

    monitor = objects["servicemonitor.yaml", "ServiceMonitor", "keyhouse", "keyhouse"]["spec"]
    matching = [
        (service, port["name"])
        for service, it in services.items()
        for port in it["spec"]["ports"]
        if monitor["selector"]["matchLabels"].items() <= it["metadata"]["labels"].items()
    ]
    expect("ServiceMonitor", matching, [("keyhouse-metrics", monitor["endpoints"][0]["port"])])

    annotations = objects["ingress-nginx.yaml", "Ingress", "application", "application"]["metadata"]["annotations"]
    nginx = {name.removeprefix("nginx.ingress.kubernetes.io/"): value for name, value in annotations.items()}
    expect("ingress-nginx headers", nginx["auth-response-headers"].split(","), identity)
    namespace, _, name = nginx["auth-proxy-set-headers"].partition("/")
    sent = objects["ingress-nginx.yaml", "ConfigMap", namespace, name]["data"]
    forwarded = ["X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri"]
    expect("ingress-nginx check", list(sent), forwarded)
    expect("ingress-nginx cache", "auth-cache-key" in nginx, False)

    envoy = objects["envoy-gateway.yaml", "SecurityPolicy", "application", "keyhouse"]["spec"]["extAuth"]
    expect("Envoy Gateway headers", envoy["http"]["headersToBackend"], lower)
    expect("Envoy Gateway", (envoy["failOpen"], envoy["http"]["path"]), (False, "/v1/ext-authz/default"))
    expect("Envoy Gateway address", "x-forwarded-for" in envoy["headersToExtAuth"], True)
    rule = objects["external-auth.yaml", "HTTPRoute", "application", "application"]["spec"]["rules"][0]
    auth = rule["filters"][0]["externalAuth"]["http"]
    expect("external auth", (auth["path"], auth["allowedResponseHeaders"]), ("/v1/ext-authz/default", identity))

    middlewares = yaml.safe_load((pathlib.Path(sys.argv[2]) / "examples/traefik/routes.yaml").read_text())["http"]["middlewares"]
    for name, single in middlewares.items():
        spec = objects["traefik.yaml", "Middleware", "application", name]["spec"]
        if "forwardAuth" in spec:
            # The address is checked above.
            spec["forwardAuth"]["address"] = single["forwardAuth"]["address"]
        expect(f"traefik.yaml Middleware {name}", spec, single)
    route = objects["traefik.yaml", "IngressRoute", "application", "application"]["spec"]["routes"][0]
    expect("traefik.yaml order", [it["name"] for it in route["middlewares"]], list(middlewares))


def references(value):
    """Every mapping with a port and the name of a Service that begins with `keyhouse`."""
    if isinstance(value, dict):
        if "port" in value and str(value.get("name", "")).startswith("keyhouse"):
            yield value
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


main()

"""Writes a CycloneDX 1.6 bill of materials of the program to stdout, from `cargo metadata` on stdin.

    cargo metadata --locked --format-version 1 --filter-platform TARGET |
        sbom.py Cargo.lock TARGET RUST_VERSION TREE

TREE is the output of `cargo tree --package keyhouse --edges normal,build --target TARGET --prefix none --format {p}`:
`cargo metadata` adds what other members of the workspace, such as the store in etcd, need of the same crates.

The bill lists what is compiled into the program for TARGET, and with scope "excluded" what only its build runs. It
contains no path, no random number and no time but SOURCE_DATE_EPOCH, so that two builds write the same bytes.
"""

import datetime
import json
import os
import sys
import tomllib
import uuid

# Where crates.io is named as a source by `cargo metadata` and Cargo.lock.
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def main():
    lock_path, target, rust_version, tree_path = sys.argv[1:]
    metadata = json.load(sys.stdin)
    with open(lock_path, "rb") as file:
        locked = tomllib.load(file)["package"]
    checksums = {(it["name"], it["version"]): it.get("checksum") for it in locked}
    with open(tree_path) as file:
        tree = {tuple(line.split()[:2]) for line in file if line.strip()}
    packages = {it["id"]: it for it in metadata["packages"]}
    others = {id for id, it in packages.items() if (it["name"], f"v{it['version']}") not in tree}
    nodes = {it["id"]: it for it in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    macros = {it["id"] for it in metadata["packages"] if any("proc-macro" in made["kind"] for made in it["targets"])}
    linked = reached(nodes, root, {None}, macros | others)
    used = reached(nodes, root, {None, "build"}, others)

    components = [component(packages[it], checksums, it in linked) for it in used if it != root]
    components.append(
        {"type": "library", "bom-ref": f"rust-std@{rust_version}", "name": "rust-std", "version": rust_version}
    )
    dependencies = []
    for id in used:
        on = {reference(packages[it]) for it in below(nodes[id], {None, "build"}) if it in used}
        dependencies.append({"ref": reference(packages[id]), "dependsOn": sorted(on)})
    program = component(packages[root], checksums, True) | {"type": "application"}
    time = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.UTC)
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": program,
            "properties": [{"name": "keyhouse:target", "value": target}],
        },
        "components": sorted(components, key=lambda it: it["bom-ref"]),
        "dependencies": sorted(dependencies, key=lambda it: it["ref"]),
    }
    # The serial number identifies the content.
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bill, sort_keys=True))
    json.dump(bill | {"serialNumber": serial.urn}, sys.stdout, indent=1, sort_keys=True)
    print()


def below(node, kinds):
    """The packages on which a package depends in one of these ways."""
    return [it["pkg"] for it in node["deps"] if any(way["kind"] in kinds for way in it["dep_kinds"])]


def reached(nodes, root, kinds, without=frozenset()):
    """The root and all packages that it needs, except those of `without` and what only they need."""
    found, open_ = {root}, [root]
    while open_:
        for id in below(nodes[open_.pop()], kinds):
            if id not in found and id not in without:
                found.add(id)
                open_.append(id)
    return found


def reference(package):
    return f"{package['name']}@{package['version']}"


def component(package, checksums, linked):
    made = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "scope": "required" if linked else "excluded",
    }
    if package["description"]:
        made["description"] = " ".join(package["description"].split())
    if package["license"]:
        # Some crates still separate alternatives with the slash of early Cargo versions.
        made["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if package["source"] == REGISTRY:
        made["purl"] = f"pkg:cargo/{package['name']}@{package['version']}"
        made["hashes"] = [{"alg": "SHA-256", "content": checksums[package["name"], package["version"]]}]
    return made


main()

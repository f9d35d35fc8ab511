"""Checks a CycloneDX bill of materials against the schema of its version, and what it lists against Cargo.lock."""

import json
import sys
import tomllib
from importlib.resources import files

import jsonschema_rs

SCHEMAS = files("cyclonedx.schema") / "_res"
ADDRESS = "http://cyclonedx.org/schema/"


def schema(name):
    return json.loads((SCHEMAS / name).read_text())


bill = json.load(open(sys.argv[1]))
# The schema names these two by relative addresses.
named = [(ADDRESS + name, schema(name)) for name in ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")]
registry = jsonschema_rs.Registry(named)
validator = jsonschema_rs.validator_for(schema(f"bom-{bill['specVersion']}.SNAPSHOT.schema.json"), registry=registry)
faults = [f"{'/'.join(map(str, it.instance_path))}: {it.message}" for it in validator.iter_errors(bill)]

locked = {(it["name"], it["version"]): it for it in tomllib.load(open("Cargo.lock", "rb"))["package"]}
for it in bill["components"]:
    known = locked.get((it["name"], it["version"]))
    if it["name"] != "rust-std" and known is None:
        faults.append(f"{it['bom-ref']} is not in Cargo.lock")
    if known and known.get("checksum") != it.get("hashes", [{}])[0].get("content"):
        faults.append(f"{it['bom-ref']} has another hash in Cargo.lock")
linked = {it["name"] for it in bill["components"] if it.get("scope") == "required"}
for name in ("redb", "hyper", "argon2", "mimalloc"):
    if name not in linked:
        faults.append(f"{name} is missing")
for name in ("proptest", "assert_cmd", "serde_derive"):
    if name in linked:
        faults.append(f"{name} is not part of the program")

if faults:
    sys.exit("\n".join(faults[:20]))
print(f"{len(linked)} libraries are listed")

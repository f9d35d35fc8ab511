"""Writes an OCI image layout with one program to a tar file, without a daemon.

    oci.py PROGRAM VERSION ARCHITECTURE LEVEL OUTPUT.tar

ARCHITECTURE is amd64 or arm64, LEVEL the level of gzip, from 1 to 9.

The root of the image has the program and an empty data directory, nothing else. All times are SOURCE_DATE_EPOCH, and
all entries have fixed owners, modes and order, so that the same program makes the same bytes.
"""

import datetime
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

# "nonroot" in the images of the distroless project; no user of a distribution has this number.
USER = 65532
DATA = "var/lib/keyhouse"
SECOND = 1_000_000_000


def main():
    program, version, architecture, level, output = sys.argv[1:]
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    created = datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with open(program, "rb") as file:
        layer = tar_of(epoch, entries_of_layer(file.read()))
    packed = gzip.compress(layer, compresslevel=int(level), mtime=0)
    labels = {
        "org.opencontainers.image.title": "keyhouse",
        "org.opencontainers.image.description": "API keys for a team, self-hosted, in one binary.",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
        "org.opencontainers.image.created": created,
    }
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": created,
        "config": {
            "User": f"{USER}:{USER}",
            "Entrypoint": ["/keyhouse"],
            "Cmd": ["serve"],
            "Env": [f"KEYHOUSE_DATA=/{DATA}"],
            "Volumes": {f"/{DATA}": {}},
            "ExposedPorts": {"7117/tcp": {}},
            "WorkingDir": "/",
            "StopSignal": "SIGTERM",
            "Labels": labels,
            # An extension of Docker, which the OCI specification lets others ignore; Podman ignores it.
            "Healthcheck": {
                "Test": ["CMD", "/keyhouse", "healthcheck"],
                "Interval": 30 * SECOND,
                "Timeout": 6 * SECOND,
                "StartPeriod": 60 * SECOND,
                "Retries": 3,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        "history": [{"created": created, "created_by": "./package"}],
    }
    blobs = {}

    def blob(content, media_type):
        blobs[digest(content)] = content
        return {"mediaType": media_type, "digest": digest(content), "size": len(content)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(encoded(config), "application/vnd.oci.image.config.v1+json"),
        "layers": [blob(packed, "application/vnd.oci.image.layer.v1.tar+gzip")],
        "annotations": labels,
    }
    described = blob(encoded(manifest), manifest["mediaType"]) | {
        "platform": {"architecture": architecture, "os": "linux"},
        # Podman and Docker take the image's name from the first, other tools the tag from the second.
        "annotations": {
            "io.containerd.image.name": f"localhost/keyhouse:{version}",
            "org.opencontainers.image.ref.name": version,
        },
    }
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [described],
    }
    files = [("blobs", None), ("blobs/sha256", None)]
    files += [(f"blobs/{name.replace(':', '/')}", content) for name, content in sorted(blobs.items())]
    files += [("index.json", encoded(index)), ("oci-layout", encoded({"imageLayoutVersion": "1.0.0"}))]
    entries = [(name, content, 0o755 if content is None else 0o644, 0) for name, content in files]
    with open(output, "wb") as file:
        file.write(tar_of(epoch, entries))


def entries_of_layer(program):
    """Docker gives a new volume the owner and the mode of the image's directory."""
    parents = [("var", None, 0o755, 0), ("var/lib", None, 0o755, 0)]
    return [("keyhouse", program, 0o755, 0), *parents, (DATA, None, 0o700, USER)]


def tar_of(epoch, entries):
    """A tar of (name, content or None for a directory, mode, owner)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content, mode, owner in entries:
            info = tarfile.TarInfo(name)
            info.mtime, info.mode, info.uid, info.gid = epoch, mode, owner, owner
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            info.size = len(content or b"")
            tar.addfile(info, io.BytesIO(content or b""))
    return out.getvalue()


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def encoded(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


main()

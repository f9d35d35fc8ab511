#!/bin/bash
# Checks the packages that ./package wrote: each runs where its users run it. Needs root, for the roots of chroot.
#
#   check.sh FIRST SECOND    FIRST and SECOND are outputs of ./package; SECOND has a higher --revision
set -euo pipefail
readonly first=$(realpath "$1") second=$(realpath "$2") user=65532

main() {
    ((EUID == 0)) || fail "changing the root of a process needs root: run sudo ./test package"
    scratch=$(mktemp -d)
    server=
    trap 'stop || true; rm -rf "$scratch"' EXIT
    program=$scratch/program/keyhouse
    says "the sums are those of the files" sums
    says "the archive contains the program, completions, manual pages and licences" archive
    says "the program is static and runs on a root with nothing else" static
    says "completions load, and manual pages format" documents
    says "the image validates and runs as user $user" image
    says "the bill of materials is valid and complete" bill
    says "the Debian package passes lintian" lints
    says "the Debian package's unit has the sandbox of the example" sandbox
    says "the Debian package installs, starts, answers, upgrades, removes and purges" debian
}

# says CLAIM FUNCTION: runs the function. set -e acts in it only outside of a condition.
says() {
    "$2"
    echo "ok: $1"
}

fail() {
    echo "check.sh: $1" >&2
    exit 1
}

# the PATTERN: prints the one file of the packages with this name.
the() {
    local found=("$first"/$1)
    [[ ${#found[@]} == 1 && -f ${found[0]} ]] || fail "not one file is $1 in $first"
    echo "${found[0]}"
}

sums() {
    (cd "$first" && sha256sum --check --quiet --strict SHA256SUMS)
    [[ $(wc -l <"$first/SHA256SUMS") == $(find "$first" -maxdepth 1 -name 'keyhouse*' | wc -l) ]] || fail "a file has no sum"
}

archive() {
    local name
    mkdir "$scratch/program"
    tar -xzf "$(the 'keyhouse-*-linux-musl.tar.gz')" --strip-components=1 --directory="$scratch/program"
    for name in keyhouse completions/{keyhouse.bash,keyhouse.fish,_keyhouse} man/{keyhouse.1,keyhouse-key-create.1} \
        LICENSE-MIT LICENSE-APACHE README.md CHANGELOG.md keyhouse.cdx.json systemd/keyhouse.service; do
        [[ -s $scratch/program/$name ]] || fail "the archive does not contain $name"
    done
    ! grep -q --fixed-strings "$PWD" "$program" || fail "the program contains a path of this machine: $PWD"
}

# in_root ROOT WORD...: becomes a program of this root, as an unprivileged user with an empty environment. Only for
# subshells: the signal to a background job then reaches the program.
in_root() {
    local root=$1
    shift
    exec env -i "PATH=$PATH" KEYHOUSE_DATA=/var/lib/keyhouse KEYHOUSE_LISTEN=127.0.0.1:0 chroot --userspec="$user:$user" "$root" "$@"
}

# serves ROOT: starts the server with this root, creates and checks a key, and stops the server.
serves() {
    local root=$1 log=$scratch/log key password=var/lib/keyhouse/password
    (umask 077 && head -c 18 /dev/urandom | base64 >"$root/$password")
    chown "$user:$user" "$root/$password"
    in_root "$root" /keyhouse serve --admin-email owner@example.com --admin-password-file "/$password" 2>"$log" &
    server=$!
    # The server writes this line when it is ready. tail ends with the server.
    grep -q -m 1 '^listening on' < <(timeout 120 tail --pid="$server" -f -n +1 "$log") || fail "no start: $(<"$log")"
    [[ $(in_root "$root" /keyhouse healthcheck) == ready ]] || fail "not healthy: $(<"$log")"
    key=$(in_root "$root" /keyhouse key create --name first)
    (in_root "$root" /keyhouse verify <<<"$key" >/dev/null) || fail "the key is not valid"
    stop
    ! (in_root "$root" /keyhouse healthcheck) >/dev/null 2>&1 || fail "healthy without a server"
}

stop() {
    [[ -n $server ]] || return 0
    kill -TERM "$server"
    wait "$server"
    server=
}

static() {
    local root=$scratch/root
    mkdir -p "$root/var/lib/keyhouse"
    install -m 755 "$program" "$root/keyhouse"
    chmod 700 "$root/var/lib/keyhouse" && chown "$user:$user" "$root/var/lib/keyhouse"
    chmod 711 "$scratch"
    ! readelf --program-headers "$program" | grep -q INTERP || fail "the program asks for a loader"
    [[ $(in_root "$root" /keyhouse --version) == keyhouse\ * ]]
    serves "$root"
}

documents() {
    local page said
    bash -c "source '$scratch/program/completions/keyhouse.bash'; complete -p keyhouse" >/dev/null
    bash -c "source '$scratch/program/completions/keyhouse.bash'
        COMP_WORDS=(keyhouse key cre) COMP_CWORD=2; _keyhouse keyhouse cre key; [[ \${COMPREPLY[*]} == create ]]"
    for page in "$scratch"/program/man/*; do
        said=$(man --warnings --local-file "$page" 2>&1 >/dev/null)
        [[ -z $said ]] || fail "$page: $said"
    done
}

image() {
    local archive layout=$scratch/layout bundle=$scratch/bundle tag
    archive=$(the 'keyhouse-*-oci.tar')
    mkdir "$layout"
    tar -xf "$archive" --directory="$layout"
    tag=$("$program" --version | cut -d' ' -f2)
    skopeo inspect --config "oci:$layout:$tag" >"$scratch/config.json"
    python3 - "$scratch/config.json" <<'PYTHON'
import json, sys
config = json.load(open(sys.argv[1]))["config"]
assert config["User"] == "65532:65532" and config["Entrypoint"] == ["/keyhouse"], config
assert config["Cmd"] == ["serve"] and "/var/lib/keyhouse" in config["Volumes"], config
PYTHON
    # A copy reads each blob and compares its digest; the format of Docker keeps the health check.
    skopeo copy --quiet "oci-archive:$archive:$tag" "dir:$scratch/copy"
    skopeo copy --quiet --format v2s2 "oci-archive:$archive:$tag" "docker-archive:$scratch/docker.tar:keyhouse:$tag"
    skopeo inspect --config --raw "docker-archive:$scratch/docker.tar" | grep -q '"/keyhouse","healthcheck"'
    umoci unpack --image "$layout:$tag" "$bundle"
    cmp "$program" "$bundle/rootfs/keyhouse"
    [[ $(cd "$bundle/rootfs" && find . -type f) == ./keyhouse ]] || fail "the image contains more than the program"
    chmod 711 "$bundle"
    serves "$bundle/rootfs"
}

bill() {
    .venv/bin/python tests/package/bill.py "$(the 'keyhouse-*.cdx.json')"
}

lints() {
    lintian --allow-root --fail-on error,warning "$(the 'keyhouse_*.deb')"
}

# The lines from UMask on are the sandbox, and must not differ.
sandbox() {
    diff <(sed -n '/^UMask=/,$p' examples/systemd/keyhouse.service) <(sed -n '/^UMask=/,$p' packaging/deb/keyhouse.service)
}

# The copy of this machine's root is an overlay in memory; the namespaces end with the process.
debian() {
    local deb=("$first"/keyhouse_*.deb "$second"/keyhouse_*.deb)
    mkdir "$scratch/overlay"
    # shellcheck disable=SC2016
    unshare --mount --net --pid --fork --kill-child bash -euc '
        overlay=$1
        shift
        ip link set lo up
        mount -t tmpfs tmpfs "$overlay"
        mkdir "$overlay"/{upper,work,merged}
        mount -t overlay overlay -o "lowerdir=/,upperdir=$overlay/upper,workdir=$overlay/work" "$overlay/merged"
        mount -t proc proc "$overlay/merged/proc"
        mount --rbind /dev "$overlay/merged/dev"
        mount -t tmpfs tmpfs "$overlay/merged/run"
        mkdir "$overlay/merged/var/test"
        cp "$@" tests/package/*.sh "$overlay/merged/var/test"
        exec chroot "$overlay/merged" bash -c "cd /var/test && exec bash deb.sh \"\$@\"" - "${@##*/}"
    ' - "$scratch/overlay" "${deb[@]}"
}

main

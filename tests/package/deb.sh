#!/bin/bash
# Installs, upgrades, removes and purges the Debian package in the root of this process, a copy that is thrown away:
# see check.sh. Arguments: the package, and the same with a higher revision.
set -euo pipefail
readonly first=./$1 second=./$2 data=/var/lib/keyhouse settings=/etc/keyhouse/keyhouse.toml
readonly header=/var/test/key.header

main() {
    # The maintainer scripts act only where systemd runs.
    mkdir -p /run/systemd/system
    install -m 755 service.sh /usr/bin/deb-systemd-invoke
    # deb-systemd-helper enables the unit with the real systemctl, which reads and writes files only.
    mv /usr/bin/systemctl /usr/bin/systemctl.real
    printf '#!/bin/sh\n[ "$2" = daemon-reload ] || SYSTEMD_OFFLINE=1 exec systemctl.real "$@"\n' >/usr/bin/systemctl
    chmod 755 /usr/bin/systemctl

    # The index of manual pages takes most of the time of an installation.
    rm -f /var/lib/man-db/auto-update

    installs
    upgrades
    removes
    purges
}

# fail TEXT: ends the test.
fail() {
    echo "deb.sh: $1" >&2
    [[ ! -e /var/log/keyhouse.log ]] || tail -n 5 /var/log/keyhouse.log >&2
    exit 1
}

# is WHAT EXPECTED COMMAND...: fails if the command prints something else.
is() {
    local what=$1 expected=$2 got
    shift 2
    got=$("$@") || true
    [[ $got == "$expected" ]] || fail "$what: expected '$expected', got '$got'"
}

# status_with_key: prints the status of the response to the key.
status_with_key() {
    curl --silent --output /dev/null --write-out '%{http_code}' -H "@$header" http://127.0.0.1:7117/v1/whoami
}

# create_owner: uses the link that the first start printed, as the owner would in a browser; prints the status.
create_owner() {
    local token
    token=$(sed -n 's/^set up at .*#token=//p' /var/log/keyhouse.log)
    printf '{"token": "%s", "email": "owner@example.com", "password": "%s"}' "$token" "$(head -c 18 /dev/urandom | base64)" |
        curl --silent --output /dev/null --write-out '%{http_code}' --json @- http://127.0.0.1:7117/v1/setup
}

# as_group GROUP: prints the status of the socket for checks, asked by a user of this group alone.
as_group() {
    setpriv --reuid nobody --regid "$1" --clear-groups \
        curl --silent --output /dev/null --write-out '%{http_code}' --unix-socket /run/keyhouse/checks.sock http://localhost/readyz
}

last_call() {
    tail -n 1 /var/log/invoked
}

installs() {
    dpkg -i "$first"
    is "the service's call" "start keyhouse.service" last_call
    is "the user's shell" /usr/sbin/nologin sh -c 'getent passwd keyhouse | cut -d: -f7'
    is "the settings' rights" "640 root keyhouse" stat -c '%a %U %G' "$settings"
    is "the data's rights" "700 keyhouse" stat -c '%a %U' "$data"
    is "the listeners" 127.0.0.1:7117 sh -c "ss -Hltn | awk '{print \$4}'"
    [[ -L /etc/systemd/system/multi-user.target.wants/keyhouse.service ]] || fail "the unit is not enabled"
    keyhouse config check --config "$settings" --data "$data"
    is "the health check" ready keyhouse healthcheck --data "$data"
    is "a proxy's check" 200 as_group keyhouse-proxy
    is "a stranger's check" 000 as_group nogroup
    is "the creation of the owner" 201 create_owner
    (umask 077 && printf 'Authorization: Bearer %s\n' "$(keyhouse key create --name first --data "$data")" >"$header")
    is "the key after the installation" 200 status_with_key
}

upgrades() {
    local before
    before=$(</run/keyhouse.pid)
    echo '# changed by the administrator' >>"$settings"
    chmod 600 "$settings" && chown keyhouse "$settings"
    dpkg -i "$second"
    is "the service's call" "restart keyhouse.service" last_call
    [[ $(</run/keyhouse.pid) != "$before" ]] || fail "the upgrade did not restart the service"
    is "the installed version" "$(dpkg-deb --field "$second" Version)" dpkg-query -W -f '${Version}' keyhouse
    is "the settings' last line" '# changed by the administrator' tail -n 1 "$settings"
    is "the settings' rights" "600 keyhouse keyhouse" stat -c '%a %U %G' "$settings"
    is "the key after the upgrade" 200 status_with_key
}

removes() {
    dpkg -r keyhouse
    is "the service's call" "stop keyhouse.service" last_call
    is "the listeners" "" ss -Hltn
    [[ ! -e /usr/bin/keyhouse && ! -e /usr/lib/systemd/system/keyhouse.service ]] || fail "the program is still there"
    [[ -e $settings ]] || fail "the settings were removed"
}

purges() {
    local said
    said=$(dpkg -P keyhouse 2>&1)
    [[ $said == *"kept the keys and the audit log"* ]] || fail "the purge does not name the data: $said"
    [[ ! -e /etc/keyhouse ]] || fail "/etc/keyhouse is still there"
    [[ -s $data/keyhouse.redb ]] || fail "the purge deleted the data"
    is "units" "" find /etc/systemd/system -name 'keyhouse*'
    # A new installation continues with the data.
    dpkg -i "$first"
    is "the key after a new installation" 200 status_with_key
    rm -rf "${data:?}"/* "$data"/.[!.]*
    /usr/bin/deb-systemd-invoke stop keyhouse.service
    dpkg -P keyhouse
    [[ ! -e $data ]] || fail "the purge left an empty data directory"
}

main

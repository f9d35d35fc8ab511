#!/bin/bash
# Stands in for deb-systemd-invoke in a root without systemd: does with keyhouse.service what systemd would do, by the
# installed unit. Writes each call to /var/log/invoked.
set -euo pipefail

readonly unit=/usr/lib/systemd/system/keyhouse.service pid_file=/run/keyhouse.pid log=/var/log/keyhouse.log

main() {
    echo "$*" >>/var/log/invoked
    [[ ${*:2} == keyhouse.service ]] || fail "no unit ${*:2}"
    case $1 in
        start) start ;;
        stop) stop ;;
        restart) stop && start ;;
        *) fail "no action $1" ;;
    esac
}

fail() {
    echo "deb-systemd-invoke: $1" >&2
    exit 1
}

# of KEY: prints the value of a key of the unit.
of() {
    sed -n "s/^$1=//p" "$unit"
}

start() {
    local user group words
    user=$(of User) group=$(of Group)
    install -d -o "$user" -g "$group" -m "$(of StateDirectoryMode)" "/var/lib/$(of StateDirectory)"
    install -d -o "$user" -g "$group" -m "$(of RuntimeDirectoryMode)" "/run/$(of RuntimeDirectory)"
    read -ra words <<<"$(of ExecStart)"
    setpriv --reuid "$user" --regid "$group" --groups "$(of SupplementaryGroups)" \
        env -i "STATE_DIRECTORY=/var/lib/$(of StateDirectory)" "${words[@]}" >>"$log" 2>&1 &
    echo $! >"$pid_file"
    curl --silent --fail --output /dev/null --retry 60 --retry-delay 1 --retry-connrefused http://127.0.0.1:7117/readyz ||
        fail "the service is not ready: $(tail -n 5 "$log")"
}

stop() {
    local pid
    pid=$(<"$pid_file")
    kill -TERM "$pid"
    tail --pid="$pid" -f /dev/null
    rm -rf "$pid_file" "/run/$(of RuntimeDirectory)"
}

main "$@"

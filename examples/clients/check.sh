#!/bin/sh
# Is a key, read from stdin, good for what the first argument names? Exit status 0: yes; 4: no; else: nobody knows.
# Neither secret stands in a program's arguments. It introspects, which counts no call and holds no key to its limits.
set -eu
answer=$(tr -d '\r\n' | curl --silent --show-error --fail --max-time 2 --config /dev/fd/3 \
    --data-urlencode token@- --data-urlencode "permissions=$1" "$KEYHOUSE_URL/v1/introspect" 3<<END
header = "Authorization: Bearer $KEYHOUSE_KEY"
END
)
case $answer in
    '{"active":true,'*) echo active ;;
    *) echo inactive; exit 4 ;;
esac

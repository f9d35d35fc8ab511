# !/bin/sh Checks whether the key on stdin has the permission in the first argument. Exit status 0: yes. 4: no. Any
# other: the check failed. Neither secret is in the arguments of a program. The script uses introspection, which counts
# no call and enforces no rate limit.
set -eu
response=$(tr -d '\r\n' | curl --silent --show-error --fail --max-time 2 --config /dev/fd/3 \
    --data-urlencode token@- --data-urlencode "permissions=$1" "$KEYHOUSE_URL/v1/introspect" 3<<END
header = "Authorization: Bearer $KEYHOUSE_KEY"
END
)
case $response in
    '{"active":true,'*) echo active ;;
    *) echo inactive; exit 4 ;;
esac

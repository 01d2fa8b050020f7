#!/bin/sh
# Starts Valkey with its users. Passwords become hashes in a file of memory, so that neither the list of
# processes nor the configuration shows them.
set -eu
umask 077
here=$(dirname "$0")
users=${RUN_DIR:-/run/valkey}/users.acl

hashed() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }

sed -e "s/@producer@/$(hashed "${PRODUCER_PASSWORD:?}")/" \
  -e "s/@worker@/$(hashed "${WORKER_PASSWORD:?}")/" \
  -e "s/@reader@/$(hashed "${READER_PASSWORD:?}")/" \
  -e "s/@admin@/$(hashed "${ADMIN_PASSWORD:?}")/" "$here/users.acl" >"$users"
exec valkey-server "$here/valkey.conf" --aclfile "$users" "$@"

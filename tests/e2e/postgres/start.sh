# Make the database at the first start, and serve it; each commit is on the disk before it is answered.
set -eu
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
if [ ! -f /data/db/PG_VERSION ]; then
    rm -rf /data/new
    "$bin/initdb" -D /data/new -U ocr --auth=trust -E UTF8 >/dev/null
    echo 'host all all all trust' >>/data/new/pg_hba.conf
    mv /data/new /data/db
fi
rm -f /data/db/postmaster.pid # of a pod that was killed: the volume is this pod's alone
exec "$bin/postgres" -D /data/db -k /tmp -c listen_addresses='*'

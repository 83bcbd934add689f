#!/usr/bin/env bash
# Records NAME.bin from NAME.sql on a server of its own: the binlog file that the statements make.
# Where values matter, NAME.tsv holds the server's own text of the tables they leave behind.
#
#   record.sh DATA_FOLDER CLIENT... -- NAME...
#
# CLIENT is the command line of a `mysql` that may do everything. The server needs log_bin=binlog,
# gtid_mode=ON and binlog_row_metadata=FULL (for `minimal` MINIMAL and binlog_checksum=NONE, for
# `unchecked` gtid_mode=OFF and binlog_checksum=NONE), and loses its database `shop`, its binlogs
# and its GTIDs.
set -euo pipefail
values='numbers times strings labels charsets json shapes'
data=$1; shift
client=()
while [ "$1" != -- ]; do client+=("$1"); shift; done
shift
sql() { "${client[@]}" --default-character-set=utf8mb4 --batch --raw --skip-column-names "$@"; }
here=$(cd "$(dirname "$0")" && pwd)
for name in "$@"; do
  sql -e 'DROP DATABASE IF EXISTS shop; RESET BINARY LOGS AND GTIDS'
  file=$(sql -e 'SHOW BINARY LOG STATUS' | cut -f 1 | head -n 1)
  sql < "$here/$name.sql"
  sql -e 'FLUSH BINARY LOGS'
  cp "$data/$file" "$here/$name.bin"; chmod 644 "$here/$name.bin"
  [[ " $values " == *" $name "* ]] || continue
  # Numbers as the server counts them, bytes in hex, text as it is.
  sql -e "SET SESSION group_concat_max_len = 1000000; SELECT CONCAT('SELECT ''# ', table_name, '''; SELECT ',
    GROUP_CONCAT(CASE
      WHEN data_type = 'bit' OR column_type LIKE '%zerofill' THEN CONCAT('\`', column_name, '\` + 0')
      WHEN data_type = 'float' THEN CONCAT('\`', column_name, '\` + 0e0')
      WHEN data_type LIKE '%blob' OR data_type LIKE '%binary' OR data_type = 'vector'
        OR data_type REGEXP 'point|geo|line|polygon' THEN CONCAT('HEX(\`', column_name, '\`)')
      ELSE CONCAT('\`', column_name, '\`') END ORDER BY ordinal_position),
    ' FROM shop.\`', table_name, '\` ORDER BY id;')
    FROM information_schema.columns WHERE table_schema = 'shop' GROUP BY table_name ORDER BY table_name" |
    { echo "SET time_zone = '+00:00';"; cat; } | sql > "$here/$name.tsv"
done

#!/usr/bin/env bash
# A small shop at work: places an order a second, moves orders on, and forgets the oldest.
set -euo pipefail

shop() { mysql --host=mysql --user=root shop; }

for ((order = 1; ; order++)); do
  shop <<SQL
BEGIN;
INSERT INTO orders (customer_id, amount) VALUES (1 + $order % 3, 5 + $order % 100 + 0.99);
UPDATE orders SET state = 'paid' WHERE state = 'new' AND id + 2 <= LAST_INSERT_ID();
COMMIT;
UPDATE orders SET state = 'sent' WHERE state = 'paid' ORDER BY id LIMIT 1;
DELETE FROM orders WHERE state = 'sent' AND placed_at < NOW() - INTERVAL 30 SECOND;
SQL
  sleep 1
done

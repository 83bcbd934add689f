-- The reference row of 12 columns, two of them NOT NULL, and rows with text in other character
-- sets and JSON: inserted, updated and deleted. What benches and the count of allocations read.
CREATE DATABASE shop;
USE shop;
SET time_zone = '+00:00';
SET cte_max_recursion_depth = 10000;
CREATE TABLE orders (
  id BIGINT NOT NULL PRIMARY KEY, placed_at DATETIME(6) NOT NULL, customer INT, state ENUM('new','paid','shipped'),
  total DECIMAL(12,2), name VARCHAR(40), note VARCHAR(60), quantity SMALLINT UNSIGNED, weight DOUBLE,
  is_gift TINYINT(1), due DATE, changed_at TIMESTAMP(3) NULL);
INSERT INTO orders WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 128)
  SELECT 1000000 + n, '2024-03-01 10:00:00.123456' + INTERVAL n * 37 SECOND, n * 7919 % 100000, 1 + n % 3, n * 1234.56,
    CONCAT('customer number ', n), IF(n % 4 = 0, NULL, CONCAT('leave it at door ', n, ', please')), n % 50, n / 8,
    n % 2, '2024-03-01' + INTERVAL n DAY, '2024-03-01 10:00:00.123' + INTERVAL n HOUR FROM n;
UPDATE orders SET state = 3, total = total + 0.01, changed_at = changed_at + INTERVAL 1 DAY;
DELETE FROM orders;
CREATE TABLE documents (
  id INT NOT NULL PRIMARY KEY, title VARCHAR(60) CHARACTER SET latin1, place VARCHAR(60) CHARACTER SET gbk,
  document JSON, tags SET('red','green','blue'), raw_bytes VARBINARY(40), flags BIT(12), lasts TIME(3));
INSERT INTO documents WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 64)
  SELECT n, CONCAT('crème brûlée ', n), CONCAT('北京 ', n), JSON_OBJECT('id', n, 'price', CAST(n * 1.25 AS DECIMAL(9,2)),
    'tags', JSON_ARRAY('a', n, NULL, TRUE, n / 7), 'at', CAST('2024-03-01 10:00:00.5' AS DATETIME(3)), 'deep', JSON_OBJECT('text', 'žluť')),
    n % 8, REPEAT(CHAR(n), n % 40), n * 31, SEC_TO_TIME(n * 61.5) FROM n;
UPDATE documents SET title = CONCAT(title, 'é'), document = JSON_SET(document, '$.id', 'é');
DELETE FROM documents;

-- Documents with numbers of four bytes inside, compressed; a key and a text of three length bytes;
-- and a document of no bytes at all, which the server reads as null.
CREATE DATABASE shop CHARACTER SET utf8mb4;
USE shop;
SET SESSION binlog_transaction_compression = ON, cte_max_recursion_depth = 100000, group_concat_max_len = 10000000;
CREATE TABLE large (id INT PRIMARY KEY, j JSON);
INSERT INTO large VALUES (1, JSON_OBJECT('a', REPEAT('x', 70000), 'b', 1, 'cc', -1, 'd', 70000, 'e', -70000, 'f', 5000000000, 'g', JSON_ARRAY(1, 'small'), 'h', true, 'i', 32768, 'j', 4000000000));
INSERT INTO large SELECT 2, JSON_ARRAYAGG(e DIV 20000) FROM (WITH RECURSIVE n (e) AS (SELECT 1 UNION ALL SELECT e + 1 FROM n WHERE e < 22000) SELECT e FROM n) n;
INSERT INTO large SELECT 3, JSON_OBJECTAGG(CONCAT('k', e), JSON_OBJECT('v', REPEAT('v', 50))) FROM (WITH RECURSIVE n (e) AS (SELECT 1 UNION ALL SELECT e + 1 FROM n WHERE e < 1200) SELECT e FROM n) n;
INSERT INTO large VALUES (4, JSON_ARRAY(REPEAT('y', 3000000)));
INSERT INTO large VALUES (5, JSON_OBJECT(REPEAT('k', 65535), REPEAT('z', 16384)));
SET SESSION binlog_transaction_compression = OFF;
CREATE TABLE no_document (id INT PRIMARY KEY, j JSON NOT NULL);
INSERT IGNORE INTO no_document (id) VALUES (1);

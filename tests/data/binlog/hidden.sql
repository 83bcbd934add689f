-- Columns that tables have besides those of their CREATE: functional and multi-valued indexes, generated,
-- invisible and auto-increment columns, generated keys; and tables that are stored compressed.
CREATE DATABASE shop;
USE shop;
CREATE TABLE f (id INT PRIMARY KEY, j JSON, n VARCHAR(20), INDEX a ((CAST(j->'$.a' AS UNSIGNED ARRAY))), INDEX b ((CAST(j->'$.b' AS CHAR(10) ARRAY))), INDEX c ((LENGTH(n))), INDEX d ((LOWER(n)), id), UNIQUE INDEX e ((UPPER(n))));
INSERT INTO f VALUES (1, '{"a": [1, 2], "b": ["x", "y"]}', 'one'), (2, NULL, NULL);
UPDATE f SET j = '{"a": [3]}', n = 'uno' WHERE id = 1;
DELETE FROM f WHERE id = 2;
ALTER TABLE f ADD COLUMN v INT AS (id * 2) VIRTUAL AFTER id, ADD COLUMN s VARCHAR(30) AS (CONCAT(n, '!')) STORED, ADD COLUMN h INT INVISIBLE DEFAULT 4;
INSERT INTO f (id, j, n) VALUES (3, '{"b": ["z"]}', 'three');
CREATE TABLE ai (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY INVISIBLE, x INT);
INSERT INTO ai (x) VALUES (1), (2);
SET SESSION sql_generate_invisible_primary_key = ON;
CREATE TABLE g (name VARCHAR(10));
INSERT INTO g VALUES ('x'), ('y');
UPDATE g SET name = 'z' WHERE name = 'y';
CREATE TABLE big (id INT PRIMARY KEY, x TEXT) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8;
INSERT INTO big VALUES (1, REPEAT('x', 1000));
CREATE TABLE pages (id INT PRIMARY KEY, x TEXT) COMPRESSION='zlib';
INSERT INTO pages VALUES (1, REPEAT('y', 100));

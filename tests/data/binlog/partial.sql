-- Updates that hold what changed inside documents, instead of the documents.
CREATE DATABASE shop CHARACTER SET utf8mb4;
USE shop;
SET NAMES utf8mb4;
SET SESSION binlog_row_value_options = 'PARTIAL_JSON';
CREATE TABLE a (id INT PRIMARY KEY, name VARCHAR(20), j JSON, n INT, k JSON NOT NULL, m JSON);
INSERT INTO a VALUES (1, 'one', '{"a": {"b": [1, 2, {"c": "long enough to be worth a difference"}]}, "x y": [true], "é\\"q": 1, "12": 0, "_i$": 5, "žž": 6, "\\n": 7}', 1, CONCAT('[', REPEAT('1, ', 100), '[2, 3]]'), '{"pad": "................................................................................", "v": 1}'),
 (2, 'two', '{"a": {"b": [1, 2, {"c": "another one that is quite long as well, yes"}]}, "z": 1, "zz": 2}', 2, '[[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20], {"deep": {"er": {}}}]', NULL),
 (3, 'three', NULL, 3, '{}', NULL);
UPDATE a SET j = JSON_SET(j, '$.a.b[1]', 'changed') WHERE id <= 2;
UPDATE a SET j = JSON_REPLACE(j, '$.a.b[2].c', CAST(12.50 AS DECIMAL(5,2))), k = JSON_SET(k, '$[0]', JSON_OBJECT('new', JSON_ARRAY(1, 'x', NULL))) WHERE id = 1;
UPDATE a SET j = JSON_REMOVE(j, '$.a.b[0]') WHERE id <= 2;
UPDATE a SET j = JSON_SET(j, '$.new', 1, '$.n', 2, '$.zzz', 3, '$.a.k', 4, '$.""', 5) WHERE id <= 2;
UPDATE a SET j = JSON_SET(j, '$."x y"[0]', false, '$."é\\"q"', 'quoted', '$."12"', 12, '$._i$', 6, '$."žž"', 7, '$."\\n"', 8) WHERE id = 1;
UPDATE a SET j = JSON_REMOVE(j, '$.z', '$.a.b') WHERE id = 2;
UPDATE a SET k = JSON_SET(k, '$[1000]', 'appended', '$[1001]', 'too') WHERE id <= 2;
UPDATE a SET k = JSON_REMOVE(k, '$[0]', '$[0]', '$[0]') WHERE id = 1;
UPDATE a SET k = JSON_SET(k, '$[0][19]', 'last', '$[1].deep.er.est', JSON_OBJECT('b', 1, 'aa', 2, 'a', 3), '$[1].deep.er.est.c', 4) WHERE id = 2;
UPDATE a SET name = 'same documents' WHERE id <= 3;
UPDATE a SET m = JSON_SET(m, '$.v', 2), name = 'm alone' WHERE id = 1;
UPDATE a SET m = JSON_SET(m, '$.v', 3, '$.v', 4, '$.v', 5) WHERE id = 1;
UPDATE a SET j = '{"pad": "..........................................................................", "a": 1}', m = '{"pad": "..........................................................................", "a": 1}' WHERE id = 3;
UPDATE a SET j = JSON_SET(j, '$.a', 2), m = NULL WHERE id = 3;
UPDATE a SET j = NULL, k = JSON_SET(k, '$.first', 1) WHERE id = 3;
UPDATE a SET m = JSON_SET(m, '$.pad', JSON_ARRAY(CAST('2024-01-02 03:04:05.5' AS DATETIME(3)), CAST('ab' AS BINARY), -0e0, 18446744073709551615)), n = n + 1 WHERE id = 1;
UPDATE a SET k = JSON_MERGE_PATCH(k, '{"x": 1}'), n = n + 1 WHERE id = 3;
UPDATE a SET j = JSON_SET(j, '$.a.b[0]', JSON_EXTRACT(j, '$.a')) WHERE id = 1;
UPDATE a SET j = JSON_REMOVE(JSON_SET(JSON_REPLACE(j, '$.n', 'r'), '$.s', JSON_ARRAY()), '$.new'), k = JSON_REMOVE(k, '$[1]') WHERE id <= 2;
SET SESSION binlog_transaction_compression = ON;
UPDATE a SET j = JSON_SET(j, '$.packed', true) WHERE id <= 2;
SET SESSION binlog_transaction_compression = OFF;
-- Its own image of each row, as the server has it after all of that.
CREATE TABLE final LIKE a;
SET SESSION binlog_row_value_options = '';
INSERT INTO final SELECT * FROM a;

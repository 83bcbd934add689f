-- Sessions that do not log full rows.
CREATE DATABASE shop;
USE shop;
CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(10), j JSON);
CREATE TABLE b (id INT PRIMARY KEY, v VARCHAR(10));
SET SESSION sql_log_bin = 0;
INSERT INTO a VALUES (1, 'x', '{"a": 1, "b": "cccccccccccccccccccc"}');
SET SESSION sql_log_bin = 1, SESSION binlog_row_image = 'MINIMAL';
INSERT INTO b VALUES (1, 'x');
UPDATE b SET v = 'y';
SET SESSION binlog_row_image = 'FULL', SESSION binlog_row_value_options = 'PARTIAL_JSON';
UPDATE a SET j = JSON_SET(j, '$.a', 2);

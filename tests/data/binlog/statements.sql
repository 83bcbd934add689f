-- Changes that are logged as statements.
CREATE DATABASE shop;
USE shop;
CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(10));
CREATE TABLE b (id INT PRIMARY KEY, v VARCHAR(10));
SET SESSION binlog_format = 'STATEMENT';
INSERT INTO a VALUES (1, 'x');

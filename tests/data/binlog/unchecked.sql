-- A server without checksums, a compressed transaction, GTIDs turned off.
CREATE DATABASE shop;
USE shop;
CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(10));
INSERT INTO a VALUES (1, 'x');
SET SESSION binlog_transaction_compression = ON;
INSERT INTO a VALUES (2, 'packed');

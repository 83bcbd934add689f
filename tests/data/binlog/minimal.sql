-- A server without FULL metadata and without checksums.
CREATE DATABASE shop;
USE shop;
CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(10));
INSERT INTO a VALUES (1, 'x');

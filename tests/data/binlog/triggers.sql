-- Statements logged as text that name a table of one database and change, by a trigger, one of another.
DROP DATABASE IF EXISTS other;
CREATE DATABASE other;
CREATE DATABASE shop;
CREATE TABLE shop.a (id INT PRIMARY KEY);
CREATE TABLE other.b (id INT PRIMARY KEY);
CREATE TABLE other.c (id INT PRIMARY KEY);
USE other;
SET SESSION binlog_format = STATEMENT;
INSERT INTO c VALUES (1);
UPDATE c SET id = 2;
CREATE TRIGGER b_inserted AFTER INSERT ON b FOR EACH ROW INSERT INTO shop.a VALUES (NEW.id);
INSERT INTO b VALUES (1);
DROP DATABASE other;

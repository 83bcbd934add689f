-- XA transactions on a table that tests capture or not.
CREATE DATABASE shop;
USE shop;
CREATE TABLE a (id INT PRIMARY KEY);
XA START 'one', 'b', 5;
INSERT INTO a VALUES (1);
XA END 'one', 'b', 5;
XA PREPARE 'one', 'b', 5;
XA COMMIT 'one', 'b', 5;
XA START 'two';
INSERT INTO a VALUES (2);
XA END 'two';
XA PREPARE 'two';
XA ROLLBACK 'two';
XA START 'three';
INSERT INTO a VALUES (3);
XA END 'three';
XA COMMIT 'three' ONE PHASE;

-- Geometries and vectors, with texts behind them.
CREATE DATABASE shop CHARACTER SET utf8mb4;
USE shop;
CREATE TABLE geometries (id INT PRIMARY KEY, p POINT, g GEOMETRY, l LINESTRING, po POLYGON, mp MULTIPOINT, ml MULTILINESTRING, my MULTIPOLYGON, gc GEOMETRYCOLLECTION, ps POINT SRID 4326, name VARCHAR(20), pn POINT NOT NULL);
INSERT INTO geometries VALUES
 (1, ST_GeomFromText('POINT(1 2)'), ST_GeomFromText('LINESTRING(0 0,1 1)'), ST_GeomFromText('LINESTRING(0 0,2 3)'), ST_GeomFromText('POLYGON((0 0,4 0,4 4,0 0),(1 1,2 1,2 2,1 1))'), ST_GeomFromText('MULTIPOINT(0 0,1 1)'),
  ST_GeomFromText('MULTILINESTRING((0 0,1 1),(2 2,3 3))'), ST_GeomFromText('MULTIPOLYGON(((0 0,4 0,4 4,0 0)))'), ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))'), ST_GeomFromText('POINT(50 14)', 4326), 'first', ST_GeomFromText('POINT(-1.5 1e10)')),
 (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ST_GeomFromText('POINT(0 0)')),
 (3, ST_GeomFromText('POINT(1e308 -1e-308)', 3857), ST_GeomFromText('POINT(3 4)', 4326), NULL, NULL, NULL, NULL, NULL, ST_GeomFromText('GEOMETRYCOLLECTION EMPTY'), NULL, 'ž', ST_GeomFromText('POINT(3 4)', 4326));
CREATE TABLE vectors (id INT PRIMARY KEY, v VECTOR(4), name VARCHAR(20), w VECTOR NOT NULL, t TEXT, long_one VECTOR(300));
INSERT INTO vectors VALUES (1, TO_VECTOR('[1,-2.5,0,3.25]'), 'first', TO_VECTOR('[1]'), 'text', NULL), (2, NULL, NULL, TO_VECTOR('[-0,3.4e38,1e-37]'), NULL, TO_VECTOR(CONCAT('[', REPEAT('1.5,', 299), '2]')));

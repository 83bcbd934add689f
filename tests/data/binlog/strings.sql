-- Texts and bytes behind lengths of every width; CHAR and BINARY lose their padding.
CREATE DATABASE shop;
USE shop;
CREATE TABLE texts (id INT PRIMARY KEY, c1 CHAR(1), c63 CHAR(63), c64 CHAR(64), c255 CHAR(255), v1 VARCHAR(1), v63 VARCHAR(63),
  v64 VARCHAR(64), v300 VARCHAR(300), a255 VARCHAR(255) CHARACTER SET ascii, a256 VARCHAR(256) CHARACTER SET ascii, ca255 CHAR(255) CHARACTER SET ascii,
  tiny TINYTEXT, plain TEXT, medium MEDIUMTEXT, longer LONGTEXT) CHARACTER SET utf8mb4;
INSERT INTO texts VALUES
  (1, '', '', '', '', '', '', '', '', '', '', '', '', '', '', ''),
  (2, '€', 'naïve', 'Ωmega', REPEAT('𝄞', 255), '𝄞', REPEAT('é', 63), REPEAT('𝄞', 64), REPEAT('xyz', 100), REPEAT('a', 255), REPEAT('b', 256), REPEAT('c', 255), 'tiny ü', 'plain 漢字', 'medium 🚀', 'long ßẞ'),
  (3, 'a', 'trailing   ', ' leading', 'x', ' ', 'kept   ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '),
  (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE bytes (id INT PRIMARY KEY, b1 BINARY(1), b5 BINARY(5), b255 BINARY(255), v5 VARBINARY(5), v300 VARBINARY(300), tiny TINYBLOB, plain BLOB,
  medium MEDIUMBLOB, longer LONGBLOB, c CHAR(5) CHARACTER SET binary);
INSERT INTO bytes VALUES
  (1, x'00', x'0000000000', x'ff', x'', x'', x'', x'', x'', x'', x''),
  (2, x'ff', x'0102030400', REPEAT(x'fe', 255), x'0000', REPEAT(x'c328', 150), x'00ff', x'80', x'0a0d00', x'fffe', x'2020'),
  (3, NULL, x'20', x'', x'00', NULL, NULL, NULL, NULL, NULL, NULL);

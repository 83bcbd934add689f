-- JSON documents: every type, every size, every kind of value that JSON itself does not have.
CREATE DATABASE shop CHARACTER SET utf8mb4;
USE shop;
SET NAMES utf8mb4;
SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION';
CREATE TABLE documents (id INT PRIMARY KEY AUTO_INCREMENT, j JSON, name VARCHAR(20), jn JSON NOT NULL);
INSERT INTO documents (j, name, jn) VALUES
 ('null', 'n', '[]'),
 ('true', 'n', '[]'),
 ('false', 'n', '[]'),
 ('0', 'n', '[]'),
 ('-1', 'n', '[]'),
 ('32767', 'n', '[]'),
 ('32768', 'n', '[]'),
 ('-32768', 'n', '[]'),
 ('-32769', 'n', '[]'),
 ('65535', 'n', '[]'),
 ('65536', 'n', '[]'),
 ('2147483647', 'n', '[]'),
 ('2147483648', 'n', '[]'),
 ('-2147483648', 'n', '[]'),
 ('-2147483649', 'n', '[]'),
 ('4294967295', 'n', '[]'),
 ('4294967296', 'n', '[]'),
 ('9223372036854775807', 'n', '[]'),
 ('-9223372036854775808', 'n', '[]'),
 ('9223372036854775808', 'n', '[]'),
 ('18446744073709551615', 'n', '[]'),
 ('18446744073709551616', 'n', '[]'),
 ('-9223372036854775809', 'n', '[]'),
 ('""', 'n', '[]'),
 ('"x"', 'n', '[]'),
 ('"é🐟"', 'n', '[]'),
 ('{}', 'n', '[]'),
 ('[]', 'n', '[]'),
 ('[[]]', 'n', '[]'),
 ('[{}]', 'n', '[]'),
 ('{"": {}}', 'n', '[]'),
 ('[null, true, false, 1, -1, 70000, 5000000000, 1.5, "x", [], {}]', 'n', '[]'),
 ('{"b": 1, "aa": 2, "a": 3, "é": 4, "": 5, "A": 6, "~": 7}', 'n', '[]'),
 ('{"a": {"b": {"c": [1, {"d": "e"}]}}}', 'n', '[]'),
 ('[1.0, 1, 100.0, 1e2]', 'n', '[]'),
 ('"\\" \\\\ / \\b \\f \\n \\r \\t \\u0000 \\u001f \\u007f \\u0080 \\u2028 \\ud83d\\udc1f"', 'n', '[]'),
 ('{"\\"\\\\\\n\\u0001": 1}', 'n', '[]'),
 ('" two  spaces, and: marks, {\\"a\\": 1} "', 'n', '[]'),
 ('[-0.0, 0.0, 0]', 'n', '[]'),
 ('"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"', 'n', '[]'),
 ('"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"', 'n', '[]'),
 ('"éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé"', 'n', '[]');
INSERT INTO documents (j, jn) VALUES (NULL, 'null'), (CAST('null' AS JSON), '{"a": null}');
-- As deep as a document may be, with and without something in the middle.
INSERT INTO documents (j, jn) VALUES (CONCAT(REPEAT('[', 100), REPEAT(']', 100)), CONCAT(REPEAT('[', 100), '1', REPEAT(']', 100))),
 (CONCAT(REPEAT('{"a": ', 99), '{}', REPEAT('}', 99)), CONCAT(REPEAT('[{"k": ', 50), '"x"', REPEAT('}]', 50)));
-- Doubles: of each magnitude with few and many digits, and the limits.
CREATE TABLE doubles (id INT PRIMARY KEY, j JSON);
INSERT INTO doubles WITH RECURSIVE n (e) AS (SELECT -40 UNION ALL SELECT e + 1 FROM n WHERE e < 40)
 SELECT e + 41, JSON_ARRAY(CAST(CONCAT('1e', e) AS DOUBLE), CAST(CONCAT('-1.25e', e) AS DOUBLE), CAST(CONCAT('9.999999999999999e', e) AS DOUBLE),
  CAST(CONCAT('1.2345678901234567e', e) AS DOUBLE), CAST(CONCAT('-7.7e', e) AS DOUBLE) / 3) FROM n;
INSERT INTO doubles VALUES (100, JSON_ARRAY(1.7976931348623157e308, -1.7976931348623157e308, 2.2250738585072014e-308, 5e-324, -5e-324, 1e100, 1e-100, 1e15, 1e16, 123456789012345680e0, 0.1e0, 1e0 / 3, 2e0 / 3, 9007199254740993e0)),
 (101, JSON_ARRAY(0e0, -0e0, 0.1e0 + 0.2e0, 5e-1, 100e0, 1e22, 1e23, 4.35e0, 0.000001e0, 123456.789e0));
INSERT INTO doubles VALUES (102, JSON_ARRAY(122248.010986328125e0, -2069636983616615.25e0, 31320971639934.5625e0, 31320971639934.6875e0, 1234567890123456.75e0, 116976873554684.625e0, 8.5e0, 4503599627370495.5e0, 4503599627370496.5e0, 2251799813685247.75e0));
-- Values of MySQL's own types.
CREATE TABLE opaque (id INT PRIMARY KEY AUTO_INCREMENT, j JSON);
CREATE TABLE source (de DECIMAL(10,3), big DECIMAL(65,30), whole DECIMAL(20,0), da DATE, ti TIME(2), t0 TIME, dt DATETIME(3), d0 DATETIME, ts TIMESTAMP(6) NULL, y YEAR, b BIT(9), b1 BIT(1),
 vb VARBINARY(9), bi BINARY(3), bl BLOB, tb TINYBLOB, mb MEDIUMBLOB, lb LONGBLOB, e ENUM('one','two'), s SET('p','q'), f FLOAT, g POINT, iu BIGINT UNSIGNED, t TEXT CHARACTER SET latin1);
SET time_zone = '+00:00';
INSERT INTO source VALUES
 (-12.340, 12345678901234567890123456789012345.123456789012345678901234567890, 12345678901234567890, '2024-01-02', '01:02:03.4', '00:00:00', '2024-01-02 03:04:05.678', '2024-01-02 03:04:05', '2024-01-02 03:04:05.000001', 2024, b'101', b'1',
  'vb', 'bi', 'blob', 't', 'm', REPEAT('ab', 100), 'two', 'p,q', 0.1, POINT(1.5, -2), 18446744073709551615, 'é'),
 (0.001, -0.000000000000000000000000000001, 0, '9999-12-31', '-838:59:59.00', '838:59:59', '9999-12-31 23:59:59.999', '1000-01-01', '1970-01-01 00:00:01', 0, b'0', b'0',
  '', '', '', '', '', REPEAT('x', 57), '', '', -3.4e38, NULL, 0, ''),
 (99.5, 0.5, -1, '0000-00-00', '-00:00:00.01', '-00:00:01', '2024-00-10', '0000-00-00', NULL, 1901, b'111111111', b'0',
  x'00ff', x'00ff', REPEAT('a', 58), REPEAT('b', 114), REPEAT('c', 115), REPEAT('d', 171), 'one', 'q', 1, POINT(0, 0), 1, 'a');
INSERT INTO opaque (j) SELECT JSON_OBJECT('de', de, 'big', big, 'whole', whole, 'da', da, 'ti', ti, 't0', t0, 'dt', dt, 'd0', d0, 'ts', ts, 'y', y, 'b', b, 'b1', b1, 'vb', vb, 'bi', bi, 'bl', bl, 'tb', tb, 'mb', mb, 'lb', lb, 'e', e, 's', s, 'f', f, 'g', g, 'iu', iu, 't', t) FROM source;
INSERT INTO opaque (j) SELECT JSON_ARRAY(de, big, whole, da, ti, t0, dt, d0, ts, y, b, b1, vb, bi, bl, tb, mb, lb, e, s, f, g, iu, t) FROM source;
INSERT INTO opaque (j) SELECT CAST(de AS JSON) FROM source;
INSERT INTO opaque (j) SELECT CAST(ti AS JSON) FROM source;
INSERT INTO opaque (j) SELECT CAST(lb AS JSON) FROM source;
DROP TABLE source;

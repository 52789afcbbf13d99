CREATE TABLE num (id int, i2 smallint, i4 int, i8 bigint, nu numeric(10,2), r4 real, f8 double precision);
INSERT INTO num VALUES (1, 1, 10, 100, 1.50, 1.5, 0.1), (2, -32768, -2147483648, -9223372036854775808, -2.25, -0.5, 1e300), (3, 32767, 2147483647, 9223372036854775807, 99999999.99, 0.1, -1e-300), (4, 0, 0, 0, 0, 0, 0), (5, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE txt (id int, t text, b boolean);
INSERT INTO txt VALUES (1, 'alpha', true), (2, 'Beta', false), (3, '', NULL), (4, NULL, true), (5, 'é%_x', false), (6, ' pad ', NULL);
CREATE TABLE mom (id int, d date, ts timestamp, iv interval);
INSERT INTO mom VALUES (1, '2024-02-29', '2024-02-29 12:34:56.789', '1 day 02:03:04'), (2, '1999-12-31', '1999-12-31 23:59:59', '1 year 2 mons'), (3, NULL, NULL, NULL);
CREATE TABLE emp (id int, dept text, pay int, boss int);
INSERT INTO emp VALUES (1, 'a', 100, NULL), (2, 'a', 200, 1), (3, 'b', 150, 1), (4, 'b', NULL, 2), (5, NULL, 50, 2), (6, 'c', 200, 3);

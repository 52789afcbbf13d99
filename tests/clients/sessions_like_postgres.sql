-- What a session says besides queries: each line is one statement, asked of a real Postgres and of ours.
-- Everything must be the same: rows and tags, notices, and of errors SQLSTATE, message, detail, hint and place.

-- Settings.
SET jit = maybe
SET jit = 2
SET jit = tr
SHOW jit
SET work_mem = '1.5GB'
SHOW work_mem
SET work_mem = '1MM'
SET work_mem = 'x'
SET work_mem = 3
SET work_mem = '99999999999GB'
SET extra_float_digits = 5
SET extra_float_digits = '1ms'
SET extra_float_digits = 1.4
SHOW extra_float_digits
SET seq_page_cost = 'a'
SET vacuum_cost_delay = 3000
SET vacuum_cost_delay = '20us'
SHOW vacuum_cost_delay
SET statement_timeout = '1.5s'
SHOW statement_timeout
SET statement_timeout = -1
SET statement_timeout = '1 m'
SET statement_timeout = ' 3 min '
SHOW statement_timeout
SET statement_timeout = '0.4us'
SHOW statement_timeout
SET statement_timeout = 1, 2
SET client_min_messages = loud
SET client_min_messages = INFO
SHOW client_min_messages
SET client_min_messages = fatal
SET client_min_messages = WARNING
SHOW client_min_messages
RESET client_min_messages
SET bytea_output TO 'x'
SET default_transaction_isolation = 'x'
SET transaction_isolation = 'x'
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
SET LOCAL work_mem = '2MB'
SHOW work_mem
SET datestyle = 'dmy'
SHOW datestyle
SET datestyle = 'nope'
SET datestyle = 'iso, sql'
SET datestyle = 'dmy, mdy'
SET datestyle to iso, ymd
SHOW datestyle
SET datestyle to default
SHOW datestyle
SET timezone = 'Mars/Phobos'
SET timezone = 'europe/paris'
SHOW timezone
SET timezone = 5
SHOW timezone
SET timezone = -3.5
SHOW timezone
SET TIME ZONE '+5'
SHOW timezone
SET TIME ZONE 'EST5EDT'
SHOW timezone
SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE
SHOW timezone
SET TIME ZONE 'utc'
SHOW timezone
SET TIME ZONE 'PST'
SHOW timezone
SET client_encoding = 'klingon'
SET client_encoding = utf8
SHOW client_encoding
SET NAMES 'unicode'
SHOW client_encoding
SET server_version = '1'
SET server_version_num = 3
SET integer_datetimes = off
SET max_connections = 3
SET nosuch = 1
SHOW nosuch
RESET nosuch
SET a.b = 'x'
SHOW a.b
RESET a.b
SHOW a.b
SHOW c.d
SET "a b.c" = 1
SET search_path = a, "B", "$user", 'x y'
SHOW search_path
SET search_path = ''
SHOW search_path
SET search_path TO DEFAULT
SET application_name = 'héé'
SHOW application_name
SET session_authorization = foo
SET SESSION AUTHORIZATION foo
SET ROLE foo
SET ROLE postgres
SHOW role
SET ROLE NONE
SHOW role
SHOW session_authorization
SET SESSION AUTHORIZATION DEFAULT
RESET SESSION AUTHORIZATION
RESET ROLE
SET session_replication_role = replica
SHOW session_replication_role
SET default_table_access_method = nope
SET default_tablespace = nope
SET default_text_search_config = nope
SET default_text_search_config = 'english'
SHOW default_text_search_config
SET xmloption = document
SET xmloption = x
SET temp_buffers = '100MB'
SHOW temp_buffers
SET synchronous_commit = true
SHOW synchronous_commit
SET synchronous_commit = local
SHOW synchronous_commit
SET synchronous_commit = x
SET is_superuser = off
SHOW is_superuser
SET lc_messages = 'nope'
SET timezone TO DEFAULT
RESET ALL
SET idle_in_transaction_session_timeout = '90s'
SHOW idle_in_transaction_session_timeout
SET default_transaction_read_only = on
SHOW transaction_read_only
RESET ALL
SET intervalstyle = 'nope'
SET default_transaction_deferrable = on
SET row_security = off
SET log_statement = 'all'
SHOW max_identifier_length
SHOW block_size
SHOW effective_cache_size
SHOW wal_segment_size
RESET ALL

-- Transactions, prepared statements, cursors, definitions.
CREATE TABLE t (a int)
CREATE TABLE u (a int)
DECLARE c CURSOR FOR SELECT 1
BEGIN
SELECT 1
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
ROLLBACK
BEGIN
SELECT 1
SET TRANSACTION READ WRITE
SET TRANSACTION READ ONLY
SET TRANSACTION READ WRITE
ROLLBACK
BEGIN
SAVEPOINT a
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
ROLLBACK
BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE
BEGIN
DISCARD ALL
ROLLBACK
START TRANSACTION
COMMIT
DISCARD PLANS
DISCARD TEMP
DISCARD SEQUENCES
DISCARD ALL
COMMIT AND CHAIN
ROLLBACK AND CHAIN
BEGIN ISOLATION LEVEL SERIALIZABLE
COMMIT AND CHAIN
SHOW transaction_isolation
ROLLBACK
SAVEPOINT x
RELEASE x
ROLLBACK TO x
BEGIN
RELEASE x
ROLLBACK
BEGIN
ROLLBACK TO x
ROLLBACK
BEGIN
SET work_mem = '5MB'
SAVEPOINT s
SET work_mem = '6MB'
SET LOCAL jit = off
ROLLBACK TO s
SHOW work_mem
SHOW jit
SET LOCAL work_mem = '7MB'
COMMIT
SHOW work_mem
BEGIN
SET work_mem = '8MB'
ROLLBACK
SHOW work_mem
RESET ALL
PREPARE p AS SELECT $1::int, $2::text
EXECUTE p
EXECUTE p (1)
EXECUTE p (true, 1)
EXECUTE p ('x', 1)
EXECUTE p (1.6, 5)
EXECUTE p (1+1, 'a' || 'b')
EXECUTE p (NULL, (SELECT 1))
EXECUTE p (NULL, NULL)
EXECUTE p (a, 1)
EXECUTE nope
PREPARE p AS SELECT 1
PREPARE q (int, unknown) AS SELECT $1, $2
EXECUTE q (1, 2)
PREPARE r (int) AS SELECT $2
PREPARE r2 (nosuch) AS SELECT 1
PREPARE r2 AS SELECT nosuch
PREPARE r2 AS CREATE TABLE x (a int)
PREPARE r3 (int) AS INSERT INTO t VALUES ($1)
EXECUTE r3 (5)
EXECUTE r3 ('6')
SELECT * FROM t ORDER BY a
PREPARE r4 (int) AS UPDATE t SET a = a + $1 RETURNING a
EXECUTE r4 (1)
DEALLOCATE PREPARE q
DEALLOCATE q
DEALLOCATE ALL
EXECUTE p (1, 'x')
BEGIN
DECLARE c SCROLL CURSOR FOR SELECT * FROM generate_series(1, 5) g(g)
FETCH c
FETCH 2 FROM c
FETCH 0 FROM c
FETCH BACKWARD 1 FROM c
FETCH ALL c
FETCH 0 c
FETCH PRIOR c
FETCH ABSOLUTE 2 IN c
FETCH RELATIVE -1 c
FETCH RELATIVE 0 c
FETCH LAST c
FETCH FIRST c
FETCH ABSOLUTE -2 c
FETCH ABSOLUTE 99 c
FETCH BACKWARD ALL c
FETCH RELATIVE 2 c
MOVE 2 c
MOVE ABSOLUTE 3 c
MOVE ALL c
MOVE BACKWARD ALL c
FETCH FORWARD -1 c
FETCH -1 c
DECLARE c CURSOR FOR SELECT 1
ROLLBACK
BEGIN
DECLARE c NO SCROLL CURSOR FOR SELECT * FROM generate_series(1, 5) g(g)
FETCH ABSOLUTE 1 c
FETCH ABSOLUTE 3 c
FETCH 1 c
SAVEPOINT s
FETCH PRIOR c
ROLLBACK
FETCH c
CLOSE ALL
DECLARE h CURSOR WITH HOLD FOR SELECT * FROM generate_series(1,3) g(g)
FETCH 1 h
FETCH 1 h
CLOSE h
CLOSE h
BEGIN
DECLARE h CURSOR WITH HOLD FOR SELECT 1
ROLLBACK
FETCH h
BEGIN
DECLARE h CURSOR WITH HOLD FOR SELECT 1
COMMIT
FETCH h
CLOSE h
DECLARE h SCROLL NO SCROLL CURSOR FOR SELECT 1
DECLARE h INSENSITIVE ASENSITIVE CURSOR FOR SELECT 1
DECLARE h CURSOR FOR INSERT INTO t VALUES (1)
DECLARE h CURSOR FOR SELECT 1 INTO x
BEGIN
SAVEPOINT a
DECLARE c CURSOR FOR SELECT 1
ROLLBACK TO a
FETCH c
ROLLBACK
DECLARE h CURSOR WITH HOLD FOR SELECT 1/0
FETCH h
CREATE TABLE IF NOT EXISTS t (a int)
CREATE VIEW v AS SELECT * FROM t
CREATE VIEW mv AS SELECT * FROM v
DROP TABLE t
DROP TABLE t, u
DROP VIEW v
DROP TABLE t CASCADE
CREATE TABLE t (a int)
CREATE VIEW v AS SELECT * FROM t
DROP TABLE t CASCADE
CREATE TABLE t (a int)
CREATE VIEW v AS SELECT * FROM t
TRUNCATE v
TRUNCATE t, u CASCADE
TRUNCATE t RESTART IDENTITY
TRUNCATE nope
CREATE SCHEMA public
CREATE SCHEMA IF NOT EXISTS public
CREATE EXTENSION plpgsql
CREATE EXTENSION IF NOT EXISTS plpgsql
DROP TABLE IF EXISTS nope, nope2
DROP TABLE IF EXISTS v
DROP VIEW t
DROP SCHEMA IF EXISTS nope
BEGIN
VACUUM
ROLLBACK
VACUUM nope
LOCK TABLE t
BEGIN
LOCK TABLE nope
ROLLBACK
CREATE TEMP TABLE t (b text)
SELECT * FROM t
SELECT * FROM pg_temp.t
CREATE TEMP TABLE t (b text)
CREATE TEMP TABLE IF NOT EXISTS t (b text)
CREATE MATERIALIZED VIEW tmv AS SELECT * FROM t
INSERT INTO t VALUES ('x')
UPDATE t SET b = t.b || 'y' RETURNING *
DELETE FROM t WHERE t.b = 'xy'
DROP TABLE t
SELECT * FROM t
CREATE TEMP TABLE d (a int) ON COMMIT DELETE ROWS
INSERT INTO d VALUES (1)
SELECT * FROM d
BEGIN
INSERT INTO d VALUES (1)
SELECT * FROM d
COMMIT
SELECT * FROM d
CREATE TABLE perm (a int) ON COMMIT DROP
CREATE TEMP TABLE dd (a int) ON COMMIT DROP
SELECT * FROM dd
BEGIN
CREATE TEMP TABLE dd (a int) ON COMMIT DROP
INSERT INTO dd VALUES (1)
SELECT * FROM dd
COMMIT
SELECT * FROM dd
SELECT 1 AS a INTO s1
SELECT * FROM s1
CREATE TABLE w (x, y) AS SELECT 1, 2 WITH NO DATA
SELECT * FROM w
CREATE TABLE w2 (x, y, z) AS SELECT 1, 2
CREATE TABLE w2 (x) AS SELECT 1, 2 AS b
SELECT * FROM w2
CREATE TEMP TABLE w3 AS VALUES (1, 'a')
SELECT * FROM w3
CREATE TEMP TABLE pk (id int PRIMARY KEY, v int NOT NULL)
INSERT INTO pk VALUES (1, 1), (1, 2)
INSERT INTO pk VALUES (1, NULL)
COMMENT ON TABLE nope IS 'x'
DISCARD ALL
SELECT * FROM w3
DROP TABLE s1, w, w2
BEGIN READ ONLY
CREATE TABLE x (a int)
ROLLBACK
SET default_transaction_read_only = on
INSERT INTO t VALUES (1)
SET default_transaction_read_only = off

-- Functions.
SELECT pg_cancel_backend(99999)
SELECT pg_terminate_backend(99999)
BEGIN
DECLARE c BINARY CURSOR FOR SELECT 1
SELECT name, statement, is_holdable, is_binary FROM pg_cursors
ROLLBACK
SELECT name, statement, parameter_types, from_sql FROM pg_prepared_statements WHERE name = 'p'
PREPARE p (int, text) AS SELECT $1, $2
SELECT count(*) > 0, max(state) FROM pg_stat_activity WHERE pid = pg_backend_pid()
SELECT set_config('work_mem', '7MB', false)
SHOW work_mem
SELECT set_config('work_mem', '8MB', true)
SHOW work_mem
SELECT current_setting('work_mem')
SELECT setting, unit, vartype, min_val, max_val FROM pg_settings WHERE name = 'work_mem'
SELECT current_user = session_user
SELECT set_config('jit', 'maybe', false)
DEALLOCATE p
DROP TABLE t CASCADE
DROP TABLE u

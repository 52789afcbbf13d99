// node-postgres at work: values both ways, named statements, transactions, cursors, streams, a pool, cancelling, errors.
// Every line printed is the same on Postgres.

const { Client, Pool } = require("pg");
const Cursor = require("pg-cursor");
const QueryStream = require("pg-query-stream");

const config = { connectionString: process.argv[2] };
const say = (...parts) => console.log(...parts.map((part) => JSON.stringify(part)));

async function failing(client, text, values) {
  try {
    await client.query(text, values);
    say("NO ERROR", text);
  } catch (error) {
    say(error.code, error.message, error.position ?? null);
  }
}

async function values(client) {
  await client.query(`CREATE TABLE node_values (n int PRIMARY KEY, y boolean, b bigint, f double precision,
    m numeric(12,2), t text, x bytea, d date, ts timestamp, tz timestamptz, u uuid, j json, jb jsonb,
    ia int[], ta text[])`);
  const row = [1, true, "9223372036854775807", 0.1, "12.50", "it's é 😀", Buffer.from([0, 255]), "2024-02-29",
    "2024-02-29 12:00:00.123", new Date(Date.UTC(2024, 5, 1)), "00000000-0000-0001-0000-000000000002",
    { a: [1, null] }, JSON.stringify([1, { b: null, a: "é" }]), [1, null, 3], ["a b", "", null, 'd"e\\,']];
  const places = row.map((_, place) => `$${place + 1}`).join(", ");
  await client.query(`INSERT INTO node_values VALUES (${places})`, row);
  await client.query(`INSERT INTO node_values VALUES (${places})`, [2, ...row.slice(1).map(() => null)]);
  for (const binary of [false, true]) {
    const found = await client.query({ text: "SELECT n, y, f, t FROM node_values ORDER BY n", binary });
    say(found.rows, found.rowCount, found.command);
  }
  const found = await client.query("SELECT * FROM node_values ORDER BY n");
  say(found.fields.map((field) => [field.name, field.dataTypeID, field.dataTypeModifier]));
  say(found.rows);
  const columns = await client.query(`SELECT column_name, data_type, is_nullable FROM information_schema.columns
    WHERE table_name = $1 ORDER BY ordinal_position`, ["node_values"]);
  say(columns.rows);
}

async function statements(client) {
  for (let n = 0; n < 5; n++) {
    const text = "SELECT $1::int + n AS sum, t FROM node_values WHERE n = ANY($2) ORDER BY n";
    const found = await client.query({ name: "sum", text, values: [n, [1, 2, n]] });
    say(found.rows);
  }
  const several = await client.query("SELECT 1 AS a; SELECT 'x' AS b; SELECT 1 AS c WHERE false");
  say(several.map((result) => result.rows));
  say((await client.query("")).rows, (await client.query("-- nothing")).rows);
  const arrays = await client.query({ text: "SELECT 1 AS a, 2 AS a", rowMode: "array" });
  say(arrays.rows);
}

async function transactions(client) {
  await client.query("BEGIN");
  await client.query("UPDATE node_values SET t = $1 WHERE n = 2 RETURNING n", ["changed"]);
  await client.query("SAVEPOINT s");
  await failing(client, "INSERT INTO node_values (n) VALUES ($1)", [1]);
  await failing(client, "SELECT 1");
  await client.query("ROLLBACK TO SAVEPOINT s");
  const kept = await client.query("INSERT INTO node_values (n, t) VALUES ($1, $2) RETURNING n, t", [3, "three"]);
  say(kept.rows, kept.rowCount);
  await client.query("COMMIT");
  await client.query("BEGIN");
  await client.query("DELETE FROM node_values");
  await client.query("ROLLBACK");
  say((await client.query("SELECT n, t FROM node_values ORDER BY n")).rows);
}

async function errors(client) {
  await failing(client, "SELEC 1");
  await failing(client, "SELECT nothing FROM node_values");
  await failing(client, "SELECT * FROM node_nowhere WHERE n = $1", [1]);
  await failing(client, "SELECT 1 / $1::int", [0]);
  await failing(client, "SELECT $1::int", ["many"]);
  await failing(client, "SELECT $1::int, $2::int", [1]);
  await failing(client, "INSERT INTO node_values (n) VALUES (NULL)");
  say((await client.query("SELECT count(*) FROM node_values")).rows);
}

async function pieces(client) {
  await client.query("BEGIN");
  const cursor = client.query(new Cursor("SELECT i FROM generate_series(1, $1::int) AS g(i) ORDER BY i", [1000]));
  const read = [await cursor.read(300), await cursor.read(699), await cursor.read(10), await cursor.read(10)];
  say(read.map((rows) => rows.length), read[2]);
  await cursor.close();
  const stream = client.query(new QueryStream("SELECT i FROM generate_series(1, 5000) AS g(i)", [], { batchSize: 97 }));
  let sum = 0;
  for await (const row of stream) sum += row.i;
  say(sum);
  const left = client.query(new QueryStream("SELECT i FROM generate_series(1, 100000) AS g(i)", [], { batchSize: 10 }));
  for await (const row of left) if (row.i === 25) break;
  await client.query("COMMIT");
  say((await client.query("SELECT 1 AS one")).rows);
}

async function pool() {
  const clients = new Pool({ ...config, max: 3 });
  const found = await Promise.all(Array.from({ length: 20 }, (_, n) => clients.query("SELECT $1::int AS n", [n])));
  say(found.map((result) => result.rows[0].n));
  await clients.end();
}

async function timeouts(client) {
  const other = new Client(config);
  await other.connect();
  const waiting = failing(client, `WITH RECURSIVE t(n) AS (SELECT 1::bigint UNION ALL SELECT n + 1 FROM t
    WHERE n < 1000000000) SELECT count(*) FROM t`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const cancelled = await other.query("SELECT pg_cancel_backend($1)", [client.processID]);
  await waiting;
  say(cancelled.rows);
  await other.end();
  await client.query("SET statement_timeout = 200");
  await failing(client, `WITH RECURSIVE t(n) AS (SELECT 1::bigint UNION ALL SELECT n + 1 FROM t
    WHERE n < 1000000000) SELECT count(*) FROM t`);
  await client.query("RESET statement_timeout");
  say((await client.query("SELECT 2 AS two")).rows);
}

async function main() {
  const client = new Client(config);
  client.on("notice", (notice) => say(notice.severity, notice.message));
  await client.connect();
  try {
    for (const work of [values, statements, transactions, errors, pieces, pool, timeouts]) await work(client);
    await client.query("DROP TABLE IF EXISTS node_nowhere");
  } finally {
    await client.query("DROP TABLE node_values");
    await client.end();
  }
}

main();

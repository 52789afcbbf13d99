// Changes of a view as they come: a cursor of node-postgres over SUBSCRIBE, and the end of it by a cancel request.

const { Client } = require("pg");
const Cursor = require("pg-cursor");

async function main() {
  const [reader, writer] = [0, 1].map(() => new Client({ connectionString: process.argv[2] }));
  await Promise.all([reader.connect(), writer.connect()]);
  await writer.query("CREATE TABLE node_stream (n int)");
  await writer.query("CREATE MATERIALIZED VIEW node_sums AS SELECT sum(n) AS total FROM node_stream");
  const changes = reader.query(new Cursor("SUBSCRIBE node_sums"));
  console.log((await changes.read(1)).map((row) => row.total));
  for (const n of [1, 2, 3]) {
    await writer.query("INSERT INTO node_stream VALUES ($1)", [n]);
    const [gone, come] = [(await changes.read(1))[0], (await changes.read(1))[0]];
    console.log(gone._diff, gone.total, come._diff, come.total);
  }
  const waiting = changes.read(1).catch((error) => console.log(error.code, error.message));
  await writer.query("SELECT pg_cancel_backend($1)", [reader.processID]);
  await waiting;
  console.log((await reader.query("SELECT 'goes on' AS it")).rows[0].it);
  await writer.query("DROP MATERIALIZED VIEW node_sums");
  await writer.query("DROP TABLE node_stream");
  await Promise.all([reader.end(), writer.end()]);
}

main();

// The peer: DuckDB computes the windows over a position's own movements at
// every count, point in time. Usage: node peer.cjs ROWS.csv EVENTS THREADS
const { DuckDBInstance } = require('@duckdb/node-api');

const [rows, events, threads] = process.argv.slice(2);
const day = 86400e6;
// A window from a to b days as of t holds what happened from t-b, without it,
// to t-a; one that ends now holds nothing of the instant itself.
const window = (name, from, to) =>
  `${name} as (partition by site, sku, location order by t range between ${to * day - 1} preceding and ${from ? from * day : 1} preceding)`;
const months = [0, 1, 2, 3, 4, 5];
const list = (flow) => months.map((m) => `${flow}_${m}`).join(', ');
// Mean, trend and spread of six spans of 30 days, of those that are known.
const flow = (name) => `
  list_sum(${name}) / n as ${name}_mean,
  case when n > 1 then (${name}[1] + 1) / ((list_sum(${name}) - ${name}[1]) / (n - 1) + 1) end as ${name}_trend`;
const query = `
  create or replace temp table vectors as
  with windows as (
    select t, site, sku, location, kind,
      count(*) filter (kind = 'm') over w7 as moves_7,
      count(*) filter (kind = 'm') over w28 as moves_28,
      count(*) filter (kind = 'm') over w90 as moves_90,
      count(*) filter (kind = 'm') over w365 as moves_365,
      count(*) filter (kind = 'x') over w28 as exceptions_28,
      count(*) filter (kind = 'x') over w90 as exceptions_90,
      count(*) filter (kind = 'a') over w90 as adjusts_90,
      sum(abs(qty)) filter (kind = 'a') over w90 / 1000 as adjust_qty_90,
      ${months.map((m) => `coalesce(-sum(qty) filter (kind = 'm' and qty < 0) over m${m}, 0) / 1000 as out_${m},
      coalesce(sum(qty) filter (kind = 'm' and qty > 0) over m${m}, 0) / 1000 as in_${m}`).join(', ')},
      first_value(t) over (partition by site, sku, location order by t) as known
    from rows
    window ${[7, 28, 90, 365].map((w) => window(`w${w}`, 0, w)).concat(months.map((m) => window(`m${m}`, 30 * m, 30 * m + 30))).join(', ')}
  ), flows as (
    select *, least(6, (t - known) // ${30 * day} + 1) as n, list_value(${list('out')}) as outs, list_value(${list('in')}) as ins
    from windows where kind = 'c'
  )
  select t, site, sku, location, moves_7, moves_28, moves_90, moves_365, exceptions_28, exceptions_90, adjusts_90, adjust_qty_90,
    out_0 as out_30, in_0 as in_30, ${flow('outs')}, ${flow('ins')},
    case when n > 2 then sqrt(greatest(0, list_sum(list_transform(outs, lambda x: x * x)) / n - (list_sum(outs) / n) ** 2)) / (list_sum(outs) / n + 1) end as out_spread
  from flows`;

(async () => {
  const db = await (await DuckDBInstance.create(':memory:', { threads })).connect();
  await db.run(`create type kinds as enum ('m', 'x', 'a', 'c')`);
  await db.run(`create table rows as select t, site, sku, location, kind, qty from read_csv('${rows}',
    columns = {t: 'bigint', site: 'utinyint', sku: 'uinteger', location: 'usmallint', kind: 'kinds', qty: 'integer'})`);
  const began = process.hrtime.bigint(), used = process.cpuUsage();
  await db.run(query);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9, cpu = process.cpuUsage(used);
  const names = { moves_7: 'moves_7', moves_28: 'moves_28', moves_90: 'moves_90', moves_365: 'moves_365', exceptions_28: 'exceptions_28',
    exceptions_90: 'exceptions_90', adjusts_90: 'adjusts_90', adjust_qty_90: 'adjust_qty_90', out_30: 'out_30', in_30: 'in_30',
    outs_mean: 'out_mean', outs_trend: 'out_trend', ins_mean: 'in_mean', ins_trend: 'in_trend', out_spread: 'out_spread' };
  const [sums] = (await (await db.runAndReadAll(`select count(*)::double as vectors,
    ${Object.entries(names).map(([from, to]) => `sum(${from})::double as ${to}`).join(', ')} from vectors`)).getRowObjects());
  const { vectors, ...rest } = sums;
  const version = (await (await db.runAndReadAll('select version() as v')).getRowObjects())[0].v;
  console.log(JSON.stringify({ program: `DuckDB ${version}`, events: Number(events), vectors, features: Object.keys(names).length, seconds, cpu: (cpu.user + cpu.system) / 1e6, sums: rest }));
})();

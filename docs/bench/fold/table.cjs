// Reads the raw lines of a run and prints medians, the ratio, and whether the
// two agree. Usage: node table.cjs results.jsonl
const lines = require('node:fs').readFileSync(process.argv[2], 'utf8').trim().split('\n').map(JSON.parse);
const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
const programs = [...new Set(lines.map((l) => l.program))].map((program) => {
  const runs = lines.filter((l) => l.program === program);
  return { ...runs[0], wall: median(runs.map((r) => r.seconds)), cpu: median(runs.map((r) => r.cpu)), runs: runs.length };
});
const [ours, peer] = programs;
console.log('| | features | wall s | events/s | CPU s | events/CPU s |\n|---|---|---|---|---|---|');
for (const p of programs) {
  console.log(`| ${p.program} | ${p.features} | ${p.wall.toFixed(2)} | ${Math.round(p.events / p.wall)} | ${p.cpu.toFixed(2)} | ${Math.round(p.events / p.cpu)} |`);
}
const ratio = (x) => x.toFixed(1);
console.log(`\n${ours.events} events, ${ours.vectors} vectors, medians of ${ours.runs} rounds that took turns. ` +
  `Ours over the peer: ${ratio(peer.wall / ours.wall)} by the clock, ${ratio(peer.cpu / ours.cpu)} by processor time.`);
const apart = Object.keys(peer.sums).filter((n) => Math.abs(peer.sums[n] - ours.sums[n]) > 1e-5 * Math.abs(peer.sums[n]));
if (apart.length || ours.vectors !== peer.vectors) {
  console.log(`\nThe two do NOT agree: ${apart.map((n) => `${n} ${ours.sums[n]} and ${peer.sums[n]}`).join(', ')}`);
  process.exit(1);
}
console.log(`\nThe sums of the peer's ${peer.features} features over all vectors agree.`);

import type { BenchResult, Ratio, ScenarioResult } from './results.ts';

/** A row for each scenario under each load; a ratio over its budget fails the process at its end. */
export function printResult({ scenarios, machine, commit }: BenchResult): void {
  console.log(`\n${commit ?? 'no commit'} on ${machine.cpu}, ${machine.cores} cores, node ${machine.node}`);
  if (!machine.isPinned) console.log('Server and load share cores: figures are for comparison within this run only.');
  for (const [name, results] of Map.groupBy(scenarios, (scenario) => scenario.name)) {
    console.log(`\n${name}`);
    console.table(Object.fromEntries(results.map((result) => [loadOf(result), rowOf(result)])));
    for (const { load, ratios } of results) for (const ratio of ratios) reportBudget(name, load.connections, ratio);
  }
}

function loadOf({ load: { connections, rate } }: ScenarioResult): string {
  return rate === null ? `${connections} connections` : `${rate.toLocaleString('en')} req/s`;
}

function rowOf({ ours: { requestsPerSecond, shed, cpuMicroseconds, latency }, ratios }: ScenarioResult) {
  return {
    'req/s': Number(requestsPerSecond.toPrecision(3)),
    'CPU µs': cpuMicroseconds === null ? null : Number(cpuMicroseconds.toPrecision(3)),
    'p50 ms': round(latency.p50Ms),
    'p95 ms': round(latency.p95Ms),
    'p99 ms': round(latency.p99Ms),
    ...(shed > 0 && { shed }),
    ...Object.fromEntries(ratios.map(({ name, value }) => [shortNameOf(name), round(value)])),
  };
}

/** Of a ratio: `CPU / flat statements`. */
function shortNameOf(name: string): string {
  return name.replace('requests a second', 'req/s').replace('against', '/');
}

function round(value: number): number {
  return Number(value.toFixed(2));
}

function reportBudget(name: string, connections: number, { name: what, value, budget }: Ratio): void {
  if (budget === null) return;
  const isMet = budget.isUpper ? value <= budget.bound : value >= budget.bound;
  const wanted = `at ${budget.isUpper ? 'most' : 'least'} ${budget.bound}`;
  console.log(
    `${name}, ${connections} connections: ${what} ${value.toFixed(2)} (${wanted}) ${isMet ? 'OK' : 'MISSED'}`,
  );
  if (!isMet) process.exitCode = 1;
}

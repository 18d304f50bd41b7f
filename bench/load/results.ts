import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SeriesReport, writeSeriesReport } from '../report/series-report.ts';
import { p95Budgets } from './latency-budgets.ts';
import { requestClasses, type Tick } from './run-report.ts';

/** Writes a result as JSON and as a page with charts into a folder, which is made. */
export async function keepResult(folder: string, name: string, result: object, page: SeriesReport): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const [json, html] = [join(folder, `${name}.json`), join(folder, `${name}.html`)];
  writeFileSync(json, `${JSON.stringify({ startedAt: new Date().toISOString(), ...result }, null, 1)}\n`);
  await writeSeriesReport(page, html);
  console.log(`\n${json}\n${html}`);
}

/** What became of the requests of each second, and p95 of each class where enough came to say. */
export function tickSeries(ticks: readonly Tick[]): SeriesReport['series'] {
  const counts = (name: string, count: (tick: Tick) => number, isReference = false) => ({
    name,
    chart: 'Requests of each second',
    unit: 'req/s',
    isReference,
    points: ticks.map((tick) => [tick.atMs, count(tick)] as const),
  });
  const ended = ({ outcomes }: Tick, outcome: string) => outcomes[outcome] ?? 0;
  return [
    counts('due', ({ due }) => due, true),
    counts('answered right', (tick) => ended(tick, 'ok')),
    counts('shed', (tick) => ended(tick, 'shed')),
    counts('otherwise', (tick) => tick.due - ended(tick, 'ok') - ended(tick, 'shed')),
    ...requestClasses.map((kind) => ({
      name: 'p95',
      chart: `p95 of ${kind} requests`,
      unit: 'ms',
      isLogarithmic: true,
      bound: p95Budgets[kind],
      points: ticks.flatMap(({ atMs, p95Ms }) => (p95Ms[kind] === null ? [] : [[atMs, p95Ms[kind]] as const])),
    })),
  ];
}

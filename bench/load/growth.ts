/** How a request's cost grows: in proportion to the rows it returns, and not with the rows that are stored. */
import { StartupError } from '../../src/errors.ts';
import { createReport, type Report } from '../inference/report.ts';
import { loadCore, pin } from '../process-cpu.ts';
import { median } from '../statistics.ts';
import { fitLine, type LinearFit } from './growth-fit.ts';
import { type Cost, type GrowthQuery, type GrowthServer, startGrowthServer } from './growth-server.ts';
import { keepResult } from './results.ts';

export interface GrowthOptions {
  /** Features stored, by rising number. */
  readonly scales: readonly number[];
  readonly rounds: number;
  /** Of a round, for each query. */
  readonly requests: number;
  /** The folder of the results. */
  readonly out: string;
}

/** Of features: pages of 100 begin anywhere but in the last 100. */
const leastScale = 1_000;
/** Of each query, to each server: the compiler gives a query that is asked more often more of its time. */
const warmUpRequests = 1_500;
const firsts = [1, 3, 10, 30, 100];
/** What was measured by what the line says, or the other way round. */
const lineLimit = 1.2;
const storedLimit = 1.2;

const nested = (head: string) =>
  `${head} { nodes { id name status createdAt owner { id name }
    testCases(first: 5) { nodes { id name status } } deployments(first: 3) { nodes { id version status createdAt } } } }`;

const storedQueries: readonly GrowthQuery[] = [
  {
    name: 'one feature by id, owner',
    query: 'query ($id: ID!) { feature(id: $id) { id name description status createdAt owner { id name email } } }',
    variables: ({ id }) => ({ id }),
  },
  {
    name: '20 features, owner, 5 tests, 3 deployments',
    query: `query ($after: String) { ${nested('features(first: 20, after: $after)')} }`,
    variables: ({ cursor }) => ({ after: cursor }),
  },
  {
    name: '100 features at a deep cursor',
    query: `query ($after: String) { features(first: 100, after: $after) {
      nodes { id name status complexityPoints createdAt } pageInfo { endCursor } } }`,
    variables: ({ cursor }) => ({ after: cursor }),
  },
  {
    name: '20 features in progress, last changed first',
    query: `{ features(first: 20, filter: { status: IN_PROGRESS }, orderBy: { field: UPDATED_AT, direction: DESC }) {
      nodes { id name updatedAt owner { id name } } } }`,
    variables: () => ({}),
  },
];

/** Fails at the end of the process where the cost leaves the line, or grows with what is stored. */
export async function benchGrowth(options: GrowthOptions): Promise<void> {
  const { scales } = options;
  if (
    !scales.every((scale, at) => Number.isInteger(scale) && scale >= Math.max(leastScale, (scales[at - 1] ?? 0) + 1))
  ) {
    throw new StartupError(`--scales is "${scales}": expected rising whole numbers from ${leastScale} on`);
  }
  pin(process.pid, loadCore);
  const report = createReport();
  const servers: GrowthServer[] = [];
  try {
    for (const scale of scales) {
      report.figure(`seeding ${scale} features …`);
      servers.push(await startGrowthServer(scale));
    }
    report.figure('warm-up …');
    for (const server of servers) {
      for (const query of storedQueries) await server.measure(query, warmUpRequests);
    }
    // Before one of them is asked for more than the others.
    const stored = await measureStored(servers, options);
    for (const each of stored) describeStored(each, scales, report);
    const returned = await measureReturned(servers[0]!, options);
    describeReturned(returned, report);
    await keepResult(options.out, 'growth', { options, returned, stored }, pageOf(returned, stored, scales));
  } finally {
    for (const server of servers) await server.stop();
  }
}

interface Returned {
  /** Of an answer on average, by `firsts`. */
  readonly rows: readonly number[];
  readonly costs: readonly Cost[];
  readonly own: LinearFit;
  readonly postgres: LinearFit;
}

/** Pages of features with all that hangs on them, in turns. */
async function measureReturned(server: GrowthServer, { rounds, requests }: GrowthOptions): Promise<Returned> {
  const query = `query ($first: Int!, $after: String) { ${nested('features(first: $first, after: $after)')} }`;
  const queries = firsts.map((first) => ({
    name: `first: ${first}`,
    query,
    variables: ({ cursor }: { cursor: string }) => ({ first, after: cursor }),
  }));
  const sides = queries.map((each, index) => ({
    // As many rows for the small ones as would take as long.
    measure: () => server.measure(each, Math.ceil(requests * (1 + 4 / firsts[index]!))),
  }));
  const costs = await inTurns(sides, rounds);
  const rows: number[] = [];
  for (const each of queries) rows.push(await server.meanRows(each));
  const pointsOf = (of: (cost: Cost) => number) => costs.map((cost, index) => [rows[index]!, of(cost)] as const);
  return {
    rows,
    costs,
    own: fitLine(pointsOf(({ ownMicroseconds }) => ownMicroseconds)),
    postgres: fitLine(pointsOf(({ postgresMicroseconds }) => postgresMicroseconds)),
  };
}

interface Stored {
  readonly name: string;
  /** By scale. */
  readonly costs: readonly Cost[];
  /** The largest by the smallest. */
  readonly ownRatio: number;
  readonly postgresRatio: number;
}

async function measureStored(servers: readonly GrowthServer[], { rounds, requests }: GrowthOptions): Promise<Stored[]> {
  const results: Stored[] = [];
  for (const query of storedQueries) {
    const sides = servers.map((server) => ({ measure: () => server.measure(query, requests) }));
    const costs = await inTurns(sides, rounds);
    const ratio = (of: (cost: Cost) => number) => of(costs.at(-1)!) / of(costs[0]!);
    results.push({
      name: query.name,
      costs,
      ownRatio: ratio(({ ownMicroseconds }) => ownMicroseconds),
      postgresRatio: ratio(({ postgresMicroseconds }) => postgresMicroseconds),
    });
  }
  return results;
}

/** The medians of each side, after a round that is not counted. */
async function inTurns(sides: readonly { measure(): Promise<Cost> }[], rounds: number): Promise<Cost[]> {
  const measured: Cost[][] = sides.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, side] of sides.entries()) {
      const cost = await side.measure();
      if (round > 0) measured[index]!.push(cost);
    }
  }
  const medianOf = (costs: readonly Cost[], of: (cost: Cost) => number) => median(costs.map(of));
  return measured.map((costs) => ({
    ownMicroseconds: medianOf(costs, ({ ownMicroseconds }) => ownMicroseconds),
    postgresMicroseconds: medianOf(costs, ({ postgresMicroseconds }) => postgresMicroseconds),
    p50Ms: medianOf(costs, ({ p50Ms }) => p50Ms),
  }));
}

function describeReturned({ rows, costs, own, postgres }: Returned, report: Report): void {
  report.title('by rows returned: features with owner, 5 tests and 3 deployments each');
  for (const [index, first] of firsts.entries()) {
    const { ownMicroseconds, postgresMicroseconds, p50Ms } = costs[index]!;
    report.figure(
      `first: ${first}, ${rows[index]!.toFixed(0)} rows: CPU ${ownMicroseconds.toFixed(0)} µs, Postgres' ${postgresMicroseconds.toFixed(0)} µs, p50 ${p50Ms.toFixed(1)} ms`,
    );
  }
  for (const [name, fit] of [['CPU', own] as const, ["Postgres' CPU", postgres] as const]) {
    const worst = Math.max(...fit.ratios.map((ratio) => Math.max(ratio, 1 / ratio)));
    report.check(
      `${name} = ${describeFit(fit)}; measured by fitted ${fit.ratios.map((ratio) => ratio.toFixed(2)).join(', ')}`,
      `within ${lineLimit} times`,
      worst <= lineLimit,
    );
  }
}

function describeFit({ fixed, perRow, r2 }: LinearFit): string {
  return `${fixed.toFixed(0)} µs + ${perRow.toFixed(2)} µs a row, r² ${r2.toFixed(4)}`;
}

function describeStored({ name, costs, ownRatio, postgresRatio }: Stored, scales: readonly number[], report: Report) {
  report.title(`by features stored: ${name}`);
  for (const [index, scale] of scales.entries()) {
    const { ownMicroseconds, postgresMicroseconds, p50Ms } = costs[index]!;
    report.figure(
      `${scale.toLocaleString('en')}: CPU ${ownMicroseconds.toFixed(0)} µs, Postgres' ${postgresMicroseconds.toFixed(0)} µs, p50 ${p50Ms.toFixed(1)} ms`,
    );
  }
  report.check(
    `the most by the fewest: CPU ${ownRatio.toFixed(2)}, Postgres' ${postgresRatio.toFixed(2)}`,
    `<= ${storedLimit}`,
    ownRatio <= storedLimit && postgresRatio <= storedLimit,
  );
}

function pageOf(returned: Returned, stored: readonly Stored[], scales: readonly number[]) {
  const byRows = { kind: 'number', label: 'rows returned', isLogarithmic: false } as const;
  const byScale = { kind: 'number', label: 'features stored', isLogarithmic: true } as const;
  const line = (name: string, fit: LinearFit, of: (cost: Cost) => number) => [
    {
      name,
      chart: name,
      unit: 'µs',
      x: byRows,
      points: returned.rows.map((rows, at) => [rows, of(returned.costs[at]!)] as const),
    },
    {
      name: 'line',
      chart: name,
      unit: 'µs',
      x: byRows,
      isReference: true,
      points: returned.rows.map((rows) => [rows, fit.fixed + fit.perRow * rows] as const),
    },
  ];
  return {
    title: 'Growth',
    facts: [
      ['features stored', scales.map((scale) => scale.toLocaleString('en')).join(', ')] as const,
      ['CPU', describeFit(returned.own)] as const,
      ["Postgres' CPU", describeFit(returned.postgres)] as const,
    ],
    series: [
      ...line('CPU', returned.own, ({ ownMicroseconds }) => ownMicroseconds),
      ...line("Postgres' CPU", returned.postgres, ({ postgresMicroseconds }) => postgresMicroseconds),
      ...stored.flatMap(({ name, costs }) => {
        const chart = { chart: name, unit: 'µs', x: byScale };
        const points = (of: (cost: Cost) => number) => costs.map((cost, at) => [scales[at]!, of(cost)] as const);
        return [
          { ...chart, name: 'CPU', points: points(({ ownMicroseconds }) => ownMicroseconds) },
          { ...chart, name: "Postgres'", points: points(({ postgresMicroseconds }) => postgresMicroseconds) },
        ];
      }),
    ],
  };
}

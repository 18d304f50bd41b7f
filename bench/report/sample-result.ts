import type { BenchResult, Figures, Latency, Load, ProcessSample, Ratio, ScenarioResult } from '../suite/results.ts';

/** For the tests of the report: a run as the suite leaves it, of made-up figures in the order of real ones. */
export function createSampleResult(): BenchResult {
  const random = createRandom(7);
  const loads = [1, 32, 256].map((connections) => ({ connections, rate: null, seconds: 10 }));
  return {
    formatVersion: 1,
    startedAt: '2026-11-21T14:05:11.312Z',
    commit: '52937a9',
    machine: { cpu: 'AMD EPYC 9B14', cores: 2, memoryGib: 8, node: 'v26.10.0', os: 'Linux 6.12.9', isPinned: true },
    scenarios: kinds.flatMap((kind) =>
      [...loads, ...(kind.rate === null ? [] : [{ connections: 64, rate: kind.rate, seconds: 30 }])].map((load) =>
        createScenario(kind, load, random),
      ),
    ),
  };
}

function createScenario(kind: Kind, load: Load, random: () => number): ScenarioResult {
  const measured = (microseconds: number) => createFigures(microseconds, load.connections, load.rate, random);
  const ours = measured(kind.cpuMicroseconds);
  const limits = kind.limits.map(([name, microseconds]) => ({ name, figures: measured(microseconds) }));
  const isBudgeted = load.connections === 32;
  return {
    name: kind.name,
    load,
    ours,
    limits,
    ratios: limits.flatMap(({ name, figures }) => {
      const bound = isBudgeted && name === 'flat statements' ? kind.bound : null;
      const ofCpu = ours.cpuMicroseconds! / figures.cpuMicroseconds!;
      const [what, ofSpeed] =
        load.rate === null
          ? (['requests a second', ours.requestsPerSecond / figures.requestsPerSecond] as const)
          : (['p95', ours.latency.p95Ms / figures.latency.p95Ms] as const);
      return [
        createRatio(`CPU against ${name}`, ofCpu, bound, random),
        createRatio(`${what} against ${name}`, ofSpeed, null, random),
      ];
    }),
    series: createSeries(load.seconds, load.connections, random),
  };
}

interface Kind {
  name: string;
  cpuMicroseconds: number;
  limits: [name: string, cpuMicroseconds: number][];
  bound: number | null;
  rate: number | null;
}

const kinds: Kind[] = [
  {
    name: '20 features, owner, 5 tests, 3 deployments, cold',
    cpuMicroseconds: 472,
    limits: [
      ['constant bytes', 20],
      ['one statement', 117],
      ['flat statements', 298],
    ],
    bound: 1.65,
    rate: 800,
  },
  {
    name: '20 conversations, user, 10 messages with author, cold',
    cpuMicroseconds: 1_008,
    limits: [
      ['constant bytes', 25],
      ['one statement', 208],
      ['flat statements', 592],
    ],
    bound: 1.6,
    rate: 400,
  },
  {
    name: 'one feature by id, cached',
    cpuMicroseconds: 31,
    limits: [['constant bytes', 19]],
    bound: null,
    rate: 5_000,
  },
  { name: 'forecast', cpuMicroseconds: 388, limits: [['raw model run', 342]], bound: null, rate: null },
  { name: 'health check under load', cpuMicroseconds: 24, limits: [], bound: null, rate: null },
];

function createFigures(
  cpuMicroseconds: number,
  connections: number,
  rate: number | null,
  random: () => number,
): Figures {
  const mostPerSecond = connections === 1 ? 4e5 / cpuMicroseconds : 9.4e5 / cpuMicroseconds;
  const requestsPerSecond = Math.min(rate ?? Number.POSITIVE_INFINITY, mostPerSecond);
  const medianMs = rate === null ? (connections * 1_000) / requestsPerSecond : (2.4 * cpuMicroseconds) / 1_000;
  return { requestsPerSecond, cpuMicroseconds, latency: createLatency(medianMs, random), shed: 0 };
}

/** Lognormal around the median, with a tail of pauses. */
function createLatency(medianMs: number, random: () => number): Latency {
  const count = 2_000;
  const all = Array.from({ length: count }, () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const pauseMs = random() < 0.006 ? 3 + 14 * random() : 0;
    return medianMs * Math.exp(0.22 * normal) + pauseMs;
  });
  all.sort((a, b) => a - b);
  const at = (share: number) => all[Math.min(count - 1, Math.floor(count * share))]!;
  const shares = [...Array.from({ length: 100 }, (_, index) => index / 100), 0.999, 1];
  const distributionMs = shares.map((share): [number, number] => [share, at(share)]);
  return { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99), maxMs: at(1), distributionMs };
}

function createRatio(name: string, about: number, bound: number | null, random: () => number): Ratio {
  const rounds = Array.from({ length: 5 }, () => about * (0.96 + 0.08 * random()));
  return {
    name,
    value: rounds.toSorted((a, b) => a - b)[2]!,
    rounds,
    budget: bound === null ? null : { bound, isUpper: true },
  };
}

/** RSS that settles, a heap that garbage collections cut down. */
function createSeries(seconds: number, connections: number, random: () => number): ProcessSample[] {
  return Array.from({ length: seconds * 4 }, (_, index) => ({
    atMs: index * 250,
    rssMib: 214 - 60 * Math.exp(-index / 12) + 3 * random(),
    heapMib: 62 + ((index * 7) % 23) + 2 * random(),
    eventLoopDelayP99Ms: 10.2 + connections / 60 + 3 * random() ** 6 * 4,
  }));
}

/** The same figures each time. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

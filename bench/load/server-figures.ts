/** What a server's /metrics says of itself. */
export class ServerMetrics {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The sum over all labels that hold these, such as `pool="requests"`; 0: none. */
  sum(name: string, label = ''): number {
    let sum = 0;
    for (const line of this.#text.split('\n')) {
      const isOf = line.startsWith(name) && (line[name.length] === ' ' || line[name.length] === '{');
      if (isOf && line.includes(label)) sum += Number(line.slice(line.lastIndexOf(' ') + 1));
    }
    return sum;
  }

  /** Counts up to each bound of a histogram, over all labels. */
  buckets(name: string): Map<number, number> {
    const counts = new Map<number, number>();
    for (const [, bound, count] of this.#text.matchAll(
      new RegExp(`^${name}_bucket\\{.*?le="([^"]+)".*?\\} (\\d+)`, 'gm'),
    )) {
      const key = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound);
      counts.set(key, (counts.get(key) ?? 0) + Number(count));
    }
    return counts;
  }
}

export async function readMetrics(origin: string): Promise<ServerMetrics> {
  return new ServerMetrics(await (await fetch(`${origin}/metrics`)).text());
}

/** The least bound of a histogram under which this share of what came between two looks lies; NaN: nothing came. */
export function boundBetween(before: ServerMetrics, after: ServerMetrics, name: string, share: number): number {
  const earlier = before.buckets(name);
  const counts = [...after.buckets(name)].map(([bound, count]) => [bound, count - (earlier.get(bound) ?? 0)] as const);
  const sorted = counts.toSorted(([a], [b]) => a - b);
  const total = sorted.at(-1)?.[1] ?? 0;
  return total === 0 ? Number.NaN : sorted.find(([, count]) => count >= share * total)![0];
}

export interface PoolFigures {
  readonly maxRunning: number;
  readonly maxWaiting: number;
  readonly size: number;
}

/** Of a page with 1,000 operations each look takes 38 to 130 ms of the server. */
const lookEveryMs = 5_000;

/** Looks at the pool of requests now and then. */
export function watchPool(origin: string): { stop(): PoolFigures } {
  let figures: PoolFigures = { maxRunning: 0, maxWaiting: 0, size: 0 };
  const timer = setInterval(() => {
    readMetrics(origin).then(
      (metrics) => {
        const of = (name: string) => metrics.sum(name, 'pool="requests"');
        figures = {
          maxRunning: Math.max(figures.maxRunning, of('tributary_pool_running')),
          maxWaiting: Math.max(figures.maxWaiting, of('tributary_pool_waiting')),
          size: of('tributary_pool_connections_max'),
        };
      },
      () => {},
    );
  }, lookEveryMs);
  return {
    stop() {
      clearInterval(timer);
      return figures;
    },
  };
}

/** What is still at work when nothing should be. */
export async function workLeft(origin: string): Promise<string[]> {
  const metrics = await readMetrics(origin);
  const gauges = {
    'requests in flight': metrics.sum('tributary_requests_in_flight'),
    'statements running': metrics.sum('tributary_pool_running'),
    'statements waiting': metrics.sum('tributary_pool_waiting'),
  };
  return Object.entries(gauges)
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`);
}

import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import { type EdgePurger, openEdge } from './edge.ts';
import { edgeTagsOfWrite, everythingTag } from './edge-tags.ts';
import { type PurgeOutcome, PurgeQueue } from './purge-queue.ts';

export interface PurgerOptions {
  /** `varnish+http://host:port`, or the http(s) URL of a webhook. */
  readonly cdnPurgeUrls: readonly string[];
  /** For all of them. */
  readonly cdnPurgeToken: string | undefined;
  /** How long a write waits for the edges at most. */
  readonly cdnPurgeDeadlineMs: number;
  readonly repeatAfterMs?: number;
  readonly log: Logger;
  readonly registry: Registry;
}

/** Tells every edge what was written. */
export interface Purger {
  /**
   * For the pool, after the caches of the processes have dropped what was written: an edge that asks again before that
   * would keep the old answer. Resolves when the edges have forgotten it, or are late; never rejects.
   */
  readonly onWrite: (tags: readonly string[]) => Promise<void>;
  /** For what no tags are known of: a start, as processes that ended may have left purges undone, or a seed. */
  purgeEverything(): Promise<void>;
  /** Tries what is left once more. */
  close(): Promise<void>;
}

/** The purger of a process, with its metrics. */
export function createPurger(options: PurgerOptions): Purger {
  const { cdnPurgeUrls, cdnPurgeToken, cdnPurgeDeadlineMs: deadlineMs, repeatAfterMs, log, registry } = options;
  const count = createOutcomeMetrics([registry]);
  const queues = cdnPurgeUrls.map((url) => {
    const edge = openEdge(url, cdnPurgeToken);
    const tell = createTeller(log, edge);
    const onOutcome = (outcome: PurgeOutcome) => {
      count(edge, outcome);
      tell(outcome);
    };
    return new PurgeQueue({ edge, deadlineMs, onOutcome, ...(repeatAfterMs && { repeatAfterMs }) });
  });
  watchQueues(queues, [registry]);
  const purge = async (edgeTags: readonly string[]) => {
    await Promise.all(queues.map((queue) => queue.purge(edgeTags)));
  };
  return {
    async onWrite(tags) {
      const edgeTags = edgeTagsOfWrite(tags);
      if (edgeTags.length > 0) await purge(edgeTags);
    },
    purgeEverything: () => purge([everythingTag]),
    async close() {
      await Promise.all(queues.map((queue) => queue.close()));
    },
  };
}

/** One line for each change, not for each try. */
function createTeller(log: Logger, { name }: EdgePurger): (outcome: PurgeOutcome) => void {
  let isFailing = false;
  return ({ error }) => {
    if (isFailing === (error !== null)) return;
    isFailing = error !== null;
    if (isFailing) log.error({ edge: name, err: error }, 'an edge could not be purged: it is tried until it works');
    else log.info({ edge: name }, 'the edge is purged again');
  };
}

function createOutcomeMetrics(registers: Registry[]): (edge: EdgePurger, outcome: PurgeOutcome) => void {
  const purges = new Counter({
    name: 'tributary_edge_purges_total',
    help: 'Requests that told an edge to forget answers, by whether it did: done, failed.',
    labelNames: ['edge', 'outcome'],
    registers,
  });
  const retries = new Counter({
    name: 'tributary_edge_purge_retries_total',
    help: 'Of those, requests after one that had failed.',
    labelNames: ['edge'],
    registers,
  });
  return ({ name: edge }, { error, isRetry }) => {
    purges.inc({ edge, outcome: error === null ? 'done' : 'failed' });
    if (isRetry) retries.inc({ edge });
  };
}

function watchQueues(queues: readonly PurgeQueue[], registers: Registry[]): void {
  const watch = (name: string, help: string, read: (queue: PurgeQueue) => number, aggregator: 'sum' | 'max' = 'sum') =>
    new Gauge({
      name,
      help,
      labelNames: ['edge'],
      registers,
      aggregator,
      collect() {
        this.reset();
        for (const queue of queues) this.inc({ edge: queue.name }, read(queue));
      },
    });
  watch('tributary_edge_purge_waiting', 'Tags that an edge is still to forget.', (queue) => queue.size);
  watch(
    'tributary_edge_purge_oldest_seconds',
    'How long the oldest of them waits.',
    (queue) => queue.oldestAgeMs / 1_000,
    'max',
  );
}

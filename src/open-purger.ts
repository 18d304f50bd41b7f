import type { Logger } from 'pino';
import type { AnswerCache } from './cache/answer-cache.ts';
import { createPurger, type Purger, type PurgerOptions } from './cdn/purger.ts';
import type { WriteListener } from './db/database.ts';
import type { Shutdown } from './shutdown.ts';
import type { Metrics } from './telemetry/metrics.ts';

/**
 * The purger of this process; null: there are no edges to tell. What they keep from before it started goes: it may be of
 * another version, or of a write that an ended process did not tell them.
 */
export function openPurger({
  config,
  log,
  metrics: { registry },
  shutdown,
}: {
  config: Pick<PurgerOptions, 'cdnPurgeUrls' | 'cdnPurgeToken' | 'cdnPurgeDeadlineMs'>;
  log: Logger;
  metrics: Metrics;
  shutdown: Shutdown;
}): Purger | null {
  if (config.cdnPurgeUrls.length === 0) return null;
  const purger = createPurger({ ...config, log, registry });
  shutdown.onEnd(() => purger.close());
  void purger.purgeEverything();
  return purger;
}

/** What is told of writes, in this order: an edge that asked between the two would be given the old answer again. */
export function writeListener(
  cache: Pick<AnswerCache, 'onWrite'> | null,
  purger: Pick<Purger, 'onWrite'> | null,
): WriteListener | undefined {
  if (cache === null || purger === null) return cache?.onWrite ?? purger?.onWrite;
  return async (tags) => {
    await cache.onWrite(tags);
    await purger.onWrite(tags);
  };
}

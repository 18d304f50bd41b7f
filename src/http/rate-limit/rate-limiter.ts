import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import type { Quota, RateLimits } from '../../config.ts';
import type { Redis } from '../../redis/client.ts';
import { clockMs, createQuotaCounter, type QuotaCounter, type Window } from './quota-counter.ts';

export type QuotaName = 'viewer' | 'address';

/** How a client stands with one of its quotas. */
export interface RateVerdict {
  quota: QuotaName;
  isAllowed: boolean;
  /** Points of a whole window. */
  limit: number;
  windowSeconds: number;
  /** Points left in this window. */
  remaining: number;
  /** Until the window ends, at least 1. */
  resetSeconds: number;
  /** When to try again; 0 when allowed. */
  retryAfterSeconds: number;
}

export interface Consumption {
  /** null: not signed in, only the address counts. */
  viewerKey: string | null;
  address: string;
  /** Rounded up, at least 1. */
  points: number;
}

/** Every answer is immediate: Redis is never waited for. null: no quota applies. */
export interface RateLimiter {
  /** Takes points for a request; the verdict is the refusing one, or of the quota with fewer points left. */
  consume(consumption: Consumption): RateVerdict | null;
  /** Takes points from an address for a request that is answered already. */
  charge(address: string, points: number): RateVerdict | null;
  /** The refusal of a request from an address that is over its quota, without taking points; null: not over. */
  refusal(address: string): RateVerdict | null;
  /** Whether there is a refusal; nothing is counted. */
  isRefused(address: string): boolean;
}

export interface RateLimiterOptions {
  rateLimits: RateLimits;
  /** null: this process counts alone. */
  redis: Redis | null;
  log: Logger;
  registry: Registry;
}

/** A refused request has cost a parse, no more. */
export const failedRequestPoints = 20;
/** A look-up that found nothing: what the smallest query costs. */
export const unknownDocumentPoints = 1;
/** Redis counts in 64 bits and JavaScript in 53: no sum of these comes near. */
const maxRequestPoints = 1_000_000_000;

/** A key that is over its quota stays so until its window ends, whatever it asks for. */
export function createRateLimiter({ rateLimits, redis, log, registry }: RateLimiterOptions): RateLimiter {
  const counterOf = (name: QuotaName, quota: Quota | null) => quota && createQuotaCounter(name, quota, redis);
  const viewers = counterOf('viewer', rateLimits.viewer);
  const addresses = counterOf('address', rateLimits.address);
  const report = createReport(log, registry);

  const take = (name: QuotaName, counter: QuotaCounter, key: string, points: number) => {
    const { quota } = counter;
    const known = counter.find(key);
    // A key that is refused anyway takes no more points, so it costs Redis nothing.
    const isRefused = known !== null && known.consumed > quota.points && !quota.isWarnOnly;
    const window = isRefused ? known : counter.add(key, points);
    if (window.consumed > quota.points) report(name, quota, window);
    return verdictOf(name, quota, window);
  };

  const refusedWindow = (address: string): Window | null => {
    if (!addresses || addresses.quota.isWarnOnly) return null;
    const window = addresses.find(address);
    return window && window.consumed > addresses.quota.points ? window : null;
  };

  return {
    consume({ viewerKey, address, points: cost }) {
      const points = pointsOf(cost);
      const byViewer = viewers && viewerKey !== null ? take('viewer', viewers, viewerKey, points) : null;
      // One viewer over its quota must not use up that of all who share its address.
      const addressPoints = byViewer?.isAllowed === false ? Math.min(points, failedRequestPoints) : points;
      const byAddress = addresses ? take('address', addresses, address, addressPoints) : null;
      return tighter(byViewer, byAddress);
    },
    charge(address, points) {
      return addresses && verdictOf('address', addresses.quota, addresses.add(address, pointsOf(points)));
    },
    refusal(address) {
      const window = refusedWindow(address);
      if (!addresses || !window) return null;
      report('address', addresses.quota, window);
      return verdictOf('address', addresses.quota, window);
    },
    isRefused: (address) => refusedWindow(address) !== null,
  };
}

/** Also of a cost that is no number. */
function pointsOf(cost: number): number {
  return Math.min(Math.max(Math.ceil(cost) || 1, 1), maxRequestPoints);
}

function verdictOf(name: QuotaName, quota: Quota, window: Window): RateVerdict {
  const isAllowed = window.consumed <= quota.points || quota.isWarnOnly;
  const resetSeconds = Math.max(1, Math.ceil((window.endsAtMs - clockMs()) / 1_000));
  return {
    quota: name,
    isAllowed,
    limit: quota.points,
    windowSeconds: quota.windowSeconds,
    remaining: Math.max(0, quota.points - window.consumed),
    resetSeconds,
    retryAfterSeconds: isAllowed ? 0 : resetSeconds,
  };
}

function tighter(a: RateVerdict | null, b: RateVerdict | null): RateVerdict | null {
  if (!a || !b) return a ?? b;
  if (a.isAllowed !== b.isAllowed) return a.isAllowed ? b : a;
  return a.remaining <= b.remaining ? a : b;
}

/** Counts each request over a quota, and logs the first of each window. */
function createReport(log: Logger, registry: Registry) {
  const limited = new Counter({
    name: 'tributary_rate_limited_total',
    help: 'Requests over a quota, by quota and by what became of them.',
    labelNames: ['quota', 'mode'],
    registers: [registry],
  });
  return (name: QuotaName, quota: Quota, window: Window): void => {
    const mode = quota.isWarnOnly ? 'warned' : 'refused';
    limited.inc({ quota: name, mode });
    if (window.isReported) return;
    window.isReported = true;
    log.warn({ quota: name, key: window.key, mode, points: quota.points }, 'rate limit reached');
  };
}

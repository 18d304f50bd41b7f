/** The forms that settings come in. */
import { z } from 'zod';

/** The most of something that one request may have. */
export interface Limit {
  /** Infinity: off. */
  max: number;
  /** Over it is counted and logged, but passes. */
  isWarnOnly: boolean;
}

/** Points that may be spent in each window. */
export interface Quota {
  points: number;
  windowSeconds: number;
  isWarnOnly: boolean;
}

export const switchSetting = z.enum(['on', 'off']);
export const milliseconds = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
export const webUrl = z.url({ protocol: /^https?$/ });
export const inferenceUrl = z.union([webUrl, z.string().regex(/^unix:\/[^?#]+$/)]);
export const commaList = (item: RegExp) =>
  z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .refine((parts) => parts.every((part) => item.test(part)));

export const origin = /^https?:\/\/[^/?#\s,]+$/;
export const provider = /^(?:cuda|webgpu|cpu)$/;
export const purgeUrl = /^(?:varnish\+)?https?:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?(?:\/[^\s,]*)?$/i;
export const bearerToken = /^[\w.~+/-]+=*$/;
export const algorithm = /^(?:RS|PS|ES)(?:256|384|512)$|^EdDSA$|^Ed25519$/;

/** `12`, `warn:12` (count and log, but let pass) or `off`. */
const limitPattern = /^(?:off|(warn:)?([1-9]\d{0,9}))$/;
export const limit = (byDefault: string) =>
  z
    .string()
    .regex(limitPattern)
    .default(byDefault)
    .transform((text): Limit => {
      const [, warn, max] = limitPattern.exec(text)!;
      return { max: max === undefined ? Number.POSITIVE_INFINITY : Number(max), isWarnOnly: warn !== undefined };
    });

const quotaPattern = /^(?:off|(warn:)?([1-9]\d{0,11})\/([1-9]\d{0,4}))$/;
/** `600000/60`: points for each window of seconds; `warn:` as above. */
export const quota = (byDefault: string) =>
  z
    .string()
    .regex(quotaPattern)
    .default(byDefault)
    .transform((text): Quota | null => {
      const [, warn, points, windowSeconds] = quotaPattern.exec(text)!;
      if (points === undefined) return null;
      return { points: Number(points), windowSeconds: Number(windowSeconds), isWarnOnly: warn !== undefined };
    });

export const limitForm = (what: string) => `a number of ${what}, warn:NUMBER to only count and log, or off`;
export const quotaForm = 'POINTS/SECONDS such as 600000/60, warn:POINTS/SECONDS to only count and log, or off';

/** Which coding an answer gets, by what its client accepts (RFC 9110, section 12.5.3). */

/** In the order of preference, where a client likes them the same: the smallest first. */
export const contentEncodings = ['br', 'gzip', 'identity'] as const;
export type ContentEncoding = (typeof contentEncodings)[number];
export type Compression = Exclude<ContentEncoding, 'identity'>;

interface Negotiated {
  encoding: ContentEncoding;
  /** Whether what is too small to be worth it is compressed all the same. */
  isIdentityRefused: boolean;
}

/** A smaller answer fits a packet either way. */
const minBytes = 1_024;
/** Clients send a few headers, each a million times. */
const maxKnown = 200;
const maxKnownLength = 200;
const known = new Map<string, Negotiated>();

/**
 * The coding of a body of so many bytes. Where the client refuses all that there is, identity: it was not asked for, but
 * it can be read.
 * @param accepted the header Accept-Encoding; none: identity, as clients that can decompress say so
 */
export function encodingFor(accepted: string | null | undefined, bytes: number): ContentEncoding {
  if (!accepted) return 'identity';
  const { encoding, isIdentityRefused } = known.get(accepted) ?? learn(accepted);
  return bytes < minBytes && !isIdentityRefused ? 'identity' : encoding;
}

function learn(accepted: string): Negotiated {
  const negotiated = negotiate(accepted);
  if (known.size >= maxKnown) known.clear();
  if (accepted.length <= maxKnownLength) known.set(accepted, negotiated);
  return negotiated;
}

function negotiate(accepted: string): Negotiated {
  const weights = readWeights(accepted);
  const others = weights.get('*');
  // Unless it is named, identity is acceptable, and the last choice; `*;q=0` refuses it, too.
  const weightOf = (encoding: ContentEncoding) =>
    weights.get(encoding) ?? (encoding === 'identity' ? (others === 0 ? 0 : Number.MIN_VALUE) : (others ?? 0));
  const [best] = contentEncodings.toSorted((one, other) => weightOf(other) - weightOf(one));
  const encoding = weightOf(best!) > 0 ? best! : 'identity';
  return { encoding, isIdentityRefused: weightOf('identity') === 0 };
}

/** By name in lower case; a weight that is none counts as 0, so that nobody gets what may have been refused. */
function readWeights(accepted: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const part of accepted.toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim());
    const weight = parameters.find((text) => text.startsWith('q='))?.slice(2);
    const isWeight = weight === undefined || /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight);
    weights.set(name === 'x-gzip' ? 'gzip' : name, isWeight ? Number(weight ?? 1) : 0);
  }
  return weights;
}

import { StartupError } from '../../errors.ts';

/** How many rows of each kind a seed of N features makes for the demo organization. */
export interface Scale {
  features: number;
  users: number;
  testCases: number;
  deployments: number;
  conversations: number;
  messages: number;
  messagesPerConversation: number;
}

export const maxFeatures = 10_000_000;
export const maxMessagesPerConversation = 200;
/** Above it conversations have 10 messages on average instead of 20, so that a million of them fit on a developer's disk. */
const longConversationFeatures = 100_000;

/**
 * What `--scale` and `--messages-per-conversation` say: the counts of a seed, or "demo".
 * @throws StartupError in one line that names the option, its value and what is allowed
 */
export function parseScale(scale: string, messagesPerConversation?: string): Scale | 'demo' {
  if (scale === 'demo') {
    if (messagesPerConversation === undefined) return 'demo';
    throw new StartupError('--messages-per-conversation needs a --scale with a number of features');
  }
  const features = parseCount('--scale', scale, maxFeatures, 'demo or a number of features');
  const usual = features > longConversationFeatures ? 10 : 20;
  const perConversation =
    messagesPerConversation === undefined
      ? usual
      : parseCount('--messages-per-conversation', messagesPerConversation, maxMessagesPerConversation, 'a number');
  return {
    features,
    users: Math.min(20_000, Math.max(20, Math.round(features / 10))),
    testCases: sumOfCounts(testCasesPerFeature, features),
    deployments: sumOfCounts(deploymentsPerFeature, features),
    conversations: features,
    messages: features * perConversation + sumOfCounts(messageSurplus(perConversation), features),
    messagesPerConversation: perConversation,
  };
}

/**
 * Rows of ten neighbours, in an order that differs from ten to ten: varied, with exact totals (5 and 2 on average).
 * See countAt in expressions.ts, which reads these lists in SQL.
 */
export const testCasesPerFeature = [5, 0, 12, 3, 7, 2, 8, 4, 6, 3];
export const deploymentsPerFeature = [2, 0, 6, 1, 3, 0, 4, 1, 2, 1];

/** By how many messages ten neighbouring conversations differ from the mean; the sum is 0. */
export function messageSurplus(mean: number): number[] {
  return [-0.4, 0.2, -0.1, 0.4, 0, -0.3, 0.1, 0.3, -0.2, 0].map((share) => Math.trunc(share * mean));
}

/** Of the place of the i-th row among its ten neighbours. */
export function placeAt(index: number): number {
  return (index + 3 * Math.floor(index / 10)) % 10;
}

function sumOfCounts(counts: readonly number[], rows: number): number {
  const tens = Math.floor(rows / 10) * counts.reduce((sum, count) => sum + count, 0);
  const rest = Array.from({ length: rows % 10 }, (_, i) => counts[placeAt(rows - (rows % 10) + i)]!);
  return rest.reduce((sum, count) => sum + count, tens);
}

function parseCount(option: string, value: string, most: number, what: string): number {
  const count = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (count >= 1 && count <= most) return count;
  const limits = `1 to ${most.toLocaleString('en')}`;
  throw new StartupError(`${option} is ${JSON.stringify(value)}: expected ${what}, ${limits}`);
}

/** Where sessions run, in order of preference, and what each place needs. */
import type { InferenceSession } from 'onnxruntime-node';
import type { Manifest } from './manifest.ts';

export const executionProviders = ['cuda', 'webgpu', 'cpu'] as const;
export type ExecutionProvider = (typeof executionProviders)[number];

/** Each provider once, in the order given; what comes after cpu is never needed, and cpu is always the last resort. */
export function inOrder(given: readonly ExecutionProvider[]): ExecutionProvider[] {
  const wanted = [...new Set(given)].filter((provider) => provider !== 'cpu');
  const first = given.includes('cpu') ? wanted.filter((each) => given.indexOf(each) < given.indexOf('cpu')) : wanted;
  return [...first, 'cpu'];
}

/** What `open` answers on the first provider that it succeeds on, and why it failed on those before, a line each. */
export async function onFirstProvider<Opened>(
  given: readonly ExecutionProvider[],
  open: (provider: ExecutionProvider) => Promise<Opened>,
): Promise<{ opened: Opened; executionProvider: ExecutionProvider; skippedProviders: string[] }> {
  const skippedProviders: string[] = [];
  for (const executionProvider of inOrder(given)) {
    try {
      return { opened: await open(executionProvider), executionProvider, skippedProviders };
    } catch (error) {
      // What goes wrong everywhere is told as the CPU tells it.
      if (executionProvider === 'cpu') throw error;
      skippedProviders.push(explain(executionProvider, error as Error));
    }
  }
  throw new Error('unreachable: cpu is always tried');
}

export function isGpu(executionProvider: string): boolean {
  return executionProvider !== 'cpu';
}

/**
 * Options of a session. cuda has none: the binding (onnxruntime-node 1.30) passes on its device id only, so that
 * cudnn_conv_algo_search stays EXHAUSTIVE; that makes new shapes slow, which is why sessions there know only few.
 */
export function sessionOptions(
  executionProvider: ExecutionProvider,
  intraOpThreads: number,
): InferenceSession.SessionOptions {
  return {
    executionProviders: [executionProvider],
    intraOpNumThreads: intraOpThreads,
    interOpNumThreads: 1,
    logSeverityLevel: 4, // fatal only: errors are thrown, and reported by us
  };
}

/**
 * The batch sizes that a session is run with, ascending; null: any. Those of the manifest, else on a GPU, where every new
 * shape is slow at first, the powers of two up to maxBatchRows.
 */
export function batchSizesOf(
  { batchSizes, maxBatchRows }: Pick<Manifest, 'batchSizes' | 'maxBatchRows'>,
  executionProvider: ExecutionProvider,
): readonly number[] | null {
  if (batchSizes !== undefined) return batchSizes;
  if (!isGpu(executionProvider)) return null;
  const powers = Array.from({ length: Math.ceil(Math.log2(maxBatchRows)) }, (_, exponent) => 2 ** exponent);
  return [...powers, maxBatchRows];
}

/** The first line of an error's message, at most 300 characters. */
export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return (message.split('\n')[0] ?? '').slice(0, 300);
}

function explain(provider: ExecutionProvider, error: Error): string {
  // The place in onnxruntime's source and its condition come first, in more characters than a line has.
  const reason = firstLine(error.message.replace(/^\/\S+:\d+ .* was false\. /, ''));
  const isMissing = provider === 'cuda' && reason.includes('Failed to load shared library');
  return isMissing ? `${provider}: its libraries are not installed (${reason})` : `${provider}: ${reason}`;
}

/** The manifest of one model version: what manifest.json beside model.onnx may say, and how wrong ones are reported. */
import { z } from 'zod';

export const modelTasks = ['SENTIMENT', 'FORECAST', 'EMBEDDING', 'TENSOR'] as const;
export const precisions = ['FP32', 'FP16', 'INT8'] as const;
export const elementTypes = [
  'float32',
  'float64',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'bool',
] as const;

export type ModelTask = (typeof modelTasks)[number];
export type Precision = (typeof precisions)[number];
/** Element type of a tensor; bool travels as a Uint8Array of 0 and 1. */
export type ElementType = (typeof elementTypes)[number];

// Both are folder names and parts of metric labels. Lower case only: some file systems do not tell cases apart.
const modelName = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'expected lower-case words joined by "-", such as "sentiment"');
const versionName = z
  .string()
  .max(32)
  .regex(
    /^[a-z0-9]+([.-][a-z0-9]+)*$/,
    'expected lower-case letters and digits joined by "." or "-", such as "1-int8"',
  );
const tensorName = z
  .string()
  .max(128)
  .regex(/^(?!__proto__$)[\w.:/-]+$/, 'expected a tensor name of letters, digits and _ . : / -');

const dimension = z.union(
  [
    z
      .int()
      .positive()
      .max(2 ** 31 - 1),
    z.string().regex(/^(?!batch$)[a-z][A-Za-z0-9_]*$/),
  ],
  { error: 'expected a size of at least 1, or the name of a dynamic axis other than "batch"' },
);
const shape = z.tuple([z.literal('batch')], dimension).readonly();

const tensorSpec = z.strictObject({ name: tensorName, type: z.enum(elementTypes), shape }).readonly();

const tensorSpecs = z
  .array(tensorSpec)
  .min(1)
  .refine((specs) => new Set(specs.map((spec) => spec.name)).size === specs.length, 'expected different tensor names')
  .readonly();

const batchSizes = z
  .array(z.int().positive())
  .min(1)
  .max(32)
  .refine((sizes) => sizes.every((size, index) => index === 0 || size > sizes[index - 1]!), 'expected ascending sizes')
  .readonly();

const trainingDataSet = z
  .strictObject({
    name: z.string().min(1),
    licence: z.string().min(1),
    source: z.string().min(1),
    rows: z.int().nonnegative(),
  })
  .readonly();

export const manifestSchema = z
  .strictObject({
    name: modelName,
    version: versionName,
    description: z.string().optional(),
    task: z.enum(modelTasks),
    precision: z.enum(precisions),
    /** Equal inputs give equal outputs, so results may be kept and shared. */
    deterministic: z.boolean(),
    inputs: tensorSpecs,
    /** The outputs to compute; the model may have more. */
    outputs: tensorSpecs,
    /** Most rows in one run. Default 1024; a heavy model wants about 8 on a CPU. */
    maxBatchRows: z.int().positive().max(65_536).default(1024),
    /**
     * Row counts that the model is run with, ascending up to maxBatchRows: batches are filled up with rows of zeros.
     * Default: any on a CPU, powers of two on a GPU. Each is run once when the model loads.
     */
    batchSizes: batchSizes.optional(),
    /**
     * Rows of different length in one call: "pad" fills the shorter ones with 0 and runs them together (the model must
     * treat 0 as nothing), "separate" runs each length on its own. Default: separate for TENSOR, pad for other tasks.
     * Inputs with more than one dynamic axis are always separate.
     */
    raggedRows: z.enum(['pad', 'separate']).optional(),
    /** What the task's pre- and post-processing needs; checked by the domain that serves the task. */
    options: z.record(z.string(), z.json()).default({}),
    metrics: z.record(z.string(), z.number()).default({}),
    trainingData: z.array(trainingDataSet).readonly().default([]),
    licence: z.string().min(1),
    /** Of model.onnx. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits'),
  })
  .refine(({ batchSizes, maxBatchRows }) => batchSizes === undefined || batchSizes.at(-1) === maxBatchRows, {
    path: ['batchSizes'],
    error: 'expected maxBatchRows as the last size',
  })
  .readonly();

export type Manifest = z.output<typeof manifestSchema>;
/** What a manifest.json may hold: a Manifest before defaults. */
export type ManifestInput = z.input<typeof manifestSchema>;
export type TensorSpec = z.output<typeof tensorSpec>;

/**
 * Parses the text of a manifest. Throws an Error of one line that names the file, the field, its value and what is
 * allowed; `file` is only used for that line.
 */
export function parseManifest(text: string, file: string): Manifest {
  const raw = parseJson(text, file);
  const parsed = manifestSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const field = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  throw new Error(`${file}: ${field}${issue.message}, got ${shownValue(raw, issue.path)}`);
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${file}: expected JSON, got ${shorten(JSON.stringify(text))}`);
  }
}

function shownValue(raw: unknown, path: readonly PropertyKey[]): string {
  let value = raw;
  for (const key of path) {
    const isContainer = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
    value = isContainer ? (value as Record<PropertyKey, unknown>)[key] : undefined;
  }
  return value === undefined ? 'nothing' : shorten(JSON.stringify(value));
}

function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

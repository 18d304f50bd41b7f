import { z } from 'zod';
import { isUuid } from '../db/id.ts';
import { badUserInput, type InputIssue } from '../errors.ts';
import { parseGlobalId } from './global-id.ts';

/**
 * Checks the arguments of a field.
 * @throws BAD_USER_INPUT with one issue per fault, each under its dotted path
 */
export function parseInput<Schema extends z.ZodType>(
  schema: Schema,
  given: unknown,
  prefix = 'input',
): z.output<Schema> {
  const parsed = schema.safeParse(withoutNulls(given));
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, maxIssues).map((issue) => ({
    path: [prefix, ...issue.path.map(String)].filter((part) => part !== '').join('.'),
    message: issue.message,
  }));
  throw badUserInput(...(issues as [InputIssue, ...InputIssue[]]));
}

const maxIssues = 20;

/** An explicit null of an optional input means the same as leaving it out. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== 'object') return value ?? undefined;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== null)
      .map(([key, entry]) => [key, withoutNulls(entry)]),
  );
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const controlInLine = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all but tab, line feed and carriage return
const controlInText = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;
const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** One line of text with something visible in it; surrounding space is cut. */
export function line(maxLength: number, minLength = 1) {
  return boundedText(minLength, maxLength).refine(
    (text) => !controlInLine.test(text),
    'must be one line without control characters',
  );
}

/** Text of many lines, 0 to `maxLength` characters. */
export function paragraphs(minLength: number, maxLength: number) {
  return boundedText(minLength, maxLength).refine(
    (text) => !controlInText.test(text),
    'must not hold control characters other than tabs and line ends',
  );
}

function boundedText(minLength: number, maxLength: number) {
  const allowed = `expected ${minLength} to ${maxLength} characters`;
  return z
    .string()
    .trim()
    .min(minLength, { error: ({ input }) => `${allowed}, got ${String(input).length}` })
    .max(maxLength, { error: ({ input }) => `${allowed}, got ${String(input).length}` })
    .refine((text) => !loneSurrogate.test(text), 'must be well-formed Unicode');
}

/** A global id of one type, as its UUID. */
export function idOf(typename: string) {
  return z.string().transform((id, context) => {
    const parsed = parseGlobalId(id);
    if (parsed?.typename === typename && isUuid(parsed.key)) return parsed.key;
    context.addIssue({ code: 'custom', message: `expected the id of a ${typename}` });
    return z.NEVER;
  });
}

export function integer(min: number, max: number) {
  const error = ({ input }: { input?: unknown }) => `expected ${min} to ${max}, got ${String(input)}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
}

export function listOf<Item extends z.ZodType>(item: Item, maxItems: number) {
  const error = ({ input }: { input?: unknown }) =>
    `expected 1 to ${maxItems} items, got ${Array.isArray(input) ? input.length : 0}`;
  return z.array(item).min(1, { error }).max(maxItems, { error });
}

/** A range whose end lies after its start; times are ISO-8601 in UTC, so text order is time order. */
export const timeRange = z
  .object({ from: z.string(), to: z.string() })
  .refine(({ from, to }) => from < to, { error: 'expected from before to' });

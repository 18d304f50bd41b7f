import { errorStatus } from '../../errors.ts';
import type { FuzzOperation } from './write-operation.ts';

/** What came back for an operation. */
export interface FuzzAnswer {
  status: number;
  body: string;
}

/** What must never be in an answer: texts and UUIDs of another organization, in lower case. */
export interface Forbidden {
  texts: readonly string[];
}

/** What an answer says, once it is known to be well-formed. */
export interface Verdict {
  /** Empty: nothing wrong. */
  faults: string[];
  /** The codes of its errors. */
  codes: string[];
  hasData: boolean;
}

interface ErrorOfAnswer {
  message?: unknown;
  path?: unknown;
  locations?: unknown;
  extensions?: { code?: unknown; issues?: { path?: unknown; message?: unknown }[] };
}

const allowedStatus = [200, 400, 401, 403, 404, 409, 413, 429, 503, 504];
/** The server shortens what it repeats to 500 characters. */
const maxMessageLength = 1_000;
const ofDocument = ['GRAPHQL_PARSE_FAILED', 'GRAPHQL_VALIDATION_FAILED'];

/** Text that only the inside of the server knows: SQL, the driver, files, stacks, names of JavaScript. */
export const internalText =
  /postgres|pg_\w+|relation "|syntax error at or near|violates \w+ constraint|\b(?:insert into|select \w+ from|delete from)\b|node_modules|node:internal|\.[cm]?[jt]s:\d|file:\/\/|\n\s+at |at Object\.|TypeError|RangeError|Cannot read prop|is not a function|is not iterable|\[object \w+\]|\bECONN|onnx|\/(?:work|home|usr|tmp|root)\//i;

/** Checks an answer against what every answer must be, whatever was asked. */
export function judgeAnswer(operation: FuzzOperation, answer: FuzzAnswer, forbidden: Forbidden): Verdict {
  const parsed = parse(answer.body);
  if (parsed === null) {
    return { faults: [`no GraphQL answer: ${answer.status} ${answer.body.slice(0, 300)}`], codes: [], hasData: false };
  }
  const errors = parsed.errors ?? [];
  const codes = errors.map(({ extensions }) => String(extensions?.code));
  const faults = [
    ...(allowedStatus.includes(answer.status) ? [] : [`status ${answer.status}`]),
    ...(Array.isArray(errors) && (parsed.errors === undefined || errors.length > 0) ? [] : ['errors is an empty list']),
    ...('data' in parsed || errors.length > 0 ? [] : ['neither data nor errors']),
    ...errors.flatMap((error) => judgeError(error, operation)),
    ...judgeSecrets(parsed, operation, forbidden),
  ];
  return { faults, codes, hasData: parsed.data != null };
}

interface Parsed {
  data?: unknown;
  errors?: ErrorOfAnswer[];
}

function parse(body: string): Parsed | null {
  try {
    const parsed = JSON.parse(body) as Parsed | null;
    const isObject = parsed !== null && typeof parsed === 'object' && !Array.isArray(parsed);
    const isKnown = isObject && Object.keys(parsed).every((key) => ['data', 'errors', 'extensions'].includes(key));
    return isKnown && (parsed.errors === undefined || Array.isArray(parsed.errors)) ? parsed : null;
  } catch {
    return null;
  }
}

function judgeError(error: ErrorOfAnswer, operation: FuzzOperation): string[] {
  const { message } = error;
  const code = String(error.extensions?.code);
  const text = JSON.stringify(error);
  const leak = internalText.exec(text);
  const request = JSON.stringify([operation.query, operation.variables]);
  const isMessage = typeof message === 'string' && message.length > 0 && message.length <= maxMessageLength;
  const checks: [isRight: boolean, fault: string][] = [
    [isMessage, `expected a message of 1 to ${maxMessageLength} characters`],
    [Object.hasOwn(errorStatus, code), 'unknown code'],
    [code !== 'INTERNAL', 'INTERNAL'],
    [code !== 'BAD_USER_INPUT' || namesWhatIsWrong(error), 'issues that do not say which input is wrong'],
    [!ofDocument.includes(code) || operation.hasHostileLiteral, 'refused as a document'],
    // What the request itself said may be quoted.
    [!leak || request.includes(leak[0]), `internal text "${leak?.[0]}"`],
  ];
  return checks.filter(([isRight]) => !isRight).map(([, fault]) => `${fault}: ${text.slice(0, 500)}`);
}

/** What is wrong with the request as a whole has no path. */
const ofWholeRequest = /^body: |^Too many errors processing variables/;

function namesWhatIsWrong({ extensions }: ErrorOfAnswer): boolean {
  const issues = extensions?.issues;
  if (!Array.isArray(issues) || issues.length === 0) return false;
  return issues.every(({ path, message }) => path !== '' || ofWholeRequest.test(String(message)));
}

/** Nothing of another organization: not in the data, and in errors only what the request itself said. */
function judgeSecrets({ data, errors = [] }: Parsed, operation: FuzzOperation, { texts }: Forbidden): string[] {
  const request = readable(JSON.stringify([operation.query, operation.variables]));
  const inData = readable(JSON.stringify(data ?? null));
  const inErrors = readable(JSON.stringify(errors));
  return texts
    .filter((text) => inData.includes(text) || (inErrors.includes(text) && !request.includes(text)))
    .map((text) => `of another organization: ${text}`);
}

/** Lower case, and what is encoded in ids and cursors beside it. */
function readable(text: string): string {
  const decoded = (text.match(/[\w-]{16,2000}/g) ?? []).map((part) => Buffer.from(part, 'base64url').toString());
  return [text, ...decoded].join('\n').toLowerCase();
}

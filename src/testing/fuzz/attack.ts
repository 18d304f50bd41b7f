import type { ErrorCode } from '../../errors.ts';

/** A request that means harm. */
export interface Attack {
  label: string;
  method?: string;
  /** After /graphql. */
  search?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array<ArrayBuffer>;
  /**
   * refused: an error without data; harmless: any answer of the contract, as nothing in it is wrong by itself; else the
   * code of its first error.
   */
  expected: 'refused' | 'harmless' | ErrorCode;
}

type Expected = Attack['expected'];

export const json = { 'content-type': 'application/json' };
/** Texts of this size are still within the limit of a body. */
export const mebibyte = 1_048_576;

/** An operation as a POST of JSON. */
export function post(
  label: string,
  expected: Expected,
  query: string,
  variables: unknown = {},
  more: object = {},
): Attack {
  return { label, expected, headers: json, body: JSON.stringify({ query, variables, ...more }) };
}

/** A POST of these very bytes. */
export function raw(
  label: string,
  expected: Expected,
  body: Attack['body'],
  headers: Attack['headers'] = json,
): Attack {
  return { label, expected, headers, ...(body !== undefined && { body }) };
}

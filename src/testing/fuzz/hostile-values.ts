import type { Random } from '../../seed/random.ts';
import type { Json } from '../schema-walk.ts';

/** Names that are properties of every object. */
export const objectNames = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'valueOf'] as const;

/** Texts that mean something to SQL, to patterns, to a terminal or to a parser. */
export const sqlTexts = [
  `'; drop table users; --`,
  `' or '1'='1`,
  `") union select * from users --`,
  '$1',
  '$$; select pg_sleep(10); $$',
  '%',
  '_%\\',
  '\\',
  '\\x00',
  `E'\\\\'`,
  '{1,2}',
  '(,)',
  `"quoted"`,
  '/* */',
] as const;

const oddTexts = [
  '',
  ' ',
  '\t\r\n',
  '\u0000',
  'text with \u0000 within',
  '\u001b[31mred',
  '\u007f\u0085\u2028\u2029',
  '\ud83d',
  '\ude00 low first \ud83d',
  '😀👩‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿',
  '\u202eright to left\u202c עברית العربية',
  'e\u0301\u0301\u0301\u0301',
  '\ufeffmark',
  '\ufffe\uffff',
  'ﬀ ß İ ı',
  'NaN',
  'Infinity',
  '-0',
  '1e400',
  '0x10',
  '٣',
  'null',
  'undefined',
  'true',
  '[object Object]',
  '<script>alert(1)</script>',
  '../../etc/passwd',
  '{"a":1}',
  '" or -a OR "b',
  '((((((((',
  '- - -',
  '&|!():*<->',
] as const;

/** A text that a client should not send but may; about one in 300 has a million characters. */
export function hostileText(random: Random): string {
  const kind = random.weighted({ sql: 30, odd: 45, object: 12, long: 10, huge: 0.3 });
  if (kind === 'sql') return random.pick(sqlTexts);
  if (kind === 'odd') return random.pick(oddTexts);
  if (kind === 'object') return random.pick(objectNames);
  const unit = random.pick(['a', 'word ', '%', '😀', "'", '\n', '"or ']);
  return unit.repeat(kind === 'huge' ? Math.ceil(1_000_000 / unit.length) : random.pick([201, 501, 2_000, 10_001]));
}

/** Integers at the borders of Int, of pages and of what JSON can hold. */
export const hostileNumbers: readonly number[] = [
  ...[0, -0, 1, -1, 99, 100, 101, 1_000, 1_001, 32_767, 65_536],
  ...[2_147_483_646, 2_147_483_647, 2_147_483_648, -2_147_483_648, -2_147_483_649],
  ...[Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER + 2, 1e15, 1e21, 1e308, Number.MAX_VALUE],
  ...[0.5, -1.5, 5e-324, 1.000_000_1, -1e300],
];

/** Moments at the borders of what dates, Postgres and ISO-8601 know, right and wrong ones. */
export const hostileTimes = [
  '0001-01-01T00:00:00Z',
  '0001-01-01T00:00:00+14:00',
  '0000-12-31T23:59:59Z',
  '9999-12-31T23:59:59.999999Z',
  '9999-12-31T23:59:59-14:00',
  '275760-09-13T00:00:00Z',
  '+275760-09-13T00:00:00Z',
  '-271821-04-20T00:00:00Z',
  '1969-12-31T23:59:59.999999Z',
  '2024-10-26T24:00:00Z',
  '2024-02-30T00:00:00Z',
  '2023-02-29T12:00:00Z',
  '2016-12-31T23:59:60Z',
  '2024-10-27T01:30:00+02:00',
  '2024-10-26T01:00:00+23:59',
  '2024-10-26T01:00:00-00:00',
  '2024-10-26T01:00:00.1234567890Z',
  '2024-10-26t01:00:00z',
  '2024-10-26',
  'infinity',
  '-infinity',
  'epoch',
  'now',
  'allballs',
] as const;

/** A value whose kind does not belong where it is put. */
export function hostileJson(random: Random): Json {
  const nest = (depth: number, wrap: (inner: Json) => Json) => {
    let value: Json = 1;
    for (let level = 0; level < depth; level++) value = wrap(value);
    return value;
  };
  const makers: (() => Json)[] = [
    () => null,
    () => [],
    () => ({}),
    () => true,
    () => random.pick(hostileNumbers),
    () => hostileText(random),
    () => [null],
    () => [['nested']],
    () => Array.from({ length: random.pick([2, 1_001, 10_000]) }, (_, index) => index),
    () => nest(random.pick([3, 100, 1_000]), (inner) => [inner]),
    () => nest(random.pick([3, 100, 1_000]), (inner) => ({ a: inner })),
    () => JSON.parse(`{"${random.pick(objectNames)}":{"toString":1,"then":true},"from":1,"id":{}}`) as Json,
  ];
  return random.pick(makers)();
}

/** An id or a cursor of the server's with something changed in it. */
export function tampered(random: Random, text: string): string {
  if (text === '') return 'x';
  const at = random.integer(0, text.length - 1);
  const bytes = Buffer.from(text, 'base64url');
  const position = at % Math.max(1, bytes.length);
  switch (random.integer(0, 5)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return `${text}${random.pick(['=', '==', 'A', ' ', '\n', '\u0000'])}`;
    case 2:
      return text.slice(0, at) + random.pick(['-', '_', 'A', 'z', '9', '+', '/']) + text.slice(at + 1);
    case 3:
      bytes[position] = bytes[position]! ^ (1 << random.integer(0, 7));
      return bytes.toString('base64url');
    case 4:
      return Buffer.from(text, 'base64url').toString('base64');
    default:
      return text + text;
  }
}

import { describe, expect, test } from 'vitest';
import { parseManifest, sha256Of } from './manifest.ts';
import { indexDocuments } from './trusted-documents.ts';

const body = '{ __typename }';
const sha256 = '2da3fd7d11a91a6f2c5b0e0a8a3a8f8ea5cc6ac54e9d9ed2d7f7b90f7d9fe8b5';
const apollo = (operations: unknown, version: unknown = 1) =>
  JSON.stringify({ format: 'apollo-persisted-query-manifest', version, operations });

describe('a manifest', () => {
  test('of Apollo is read, with other keys passed over', () => {
    const text = apollo([{ id: 'a', name: 'Typename', type: 'query', body, cost: 1, variables: {} }]);
    expect(parseManifest(text)).toEqual([{ id: 'a', sha256: sha256Of(body), body }]);
  });

  test('says what to run at the start of a server', () => {
    const warmUp = [{ variables: { first: 5 } }, { variables: {} }];
    const [document] = parseManifest(apollo([{ id: 'a', body, warmUp }]));
    expect(document!.warmUp).toEqual([{ first: 5 }, {}]);
  });

  test('of Relay and a plain one are maps of ids', () => {
    const text = JSON.stringify({ '4a36f2b4e25e8a0b6f4b1c7a5f4e9e5d': body, second: '{ viewer { id } }' });
    expect(parseManifest(text).map(({ id }) => id)).toEqual(['4a36f2b4e25e8a0b6f4b1c7a5f4e9e5d', 'second']);
  });

  test.each([
    ['[]', 'expected an object of ids and documents, got a list'],
    ['{', 'expected JSON: '],
    ['{"a":1}', '"a": expected a text that is not empty, got a value of type number'],
    ['{"a":" "}', '"a": expected a text that is not empty'],
    [apollo([], 2), 'version: expected 1, got 2'],
    [apollo({}), 'operations: expected a list'],
    [apollo([{ id: 'a' }]), 'operations.0.body: expected a text that is not empty, got none'],
    [apollo([{ id: 'a', body }, null]), 'operations.1: expected an object, got none'],
    [apollo([{ id: 'a', body, warmUp: {} }]), 'operations.0.warmUp: expected a list, got a value of type object'],
    [
      apollo([{ id: 'a', body, warmUp: [{ variables: [] }] }]),
      'operations.0.warmUp.0.variables: expected an object, got a list',
    ],
    [apollo([{ id: 'a', body, warmUp: [{}] }]), 'operations.0.warmUp.0.variables: expected an object, got none'],
    [
      apollo(['a', 'b'].map((text) => ({ id: 'a', body: text }))),
      'operations.1: the id "a" has another document before',
    ],
    [JSON.stringify({ [sha256]: body }), `the id looks like a SHA-256, but that of the document is ${sha256Of(body)}`],
  ])('%s is refused', (text, message) => {
    expect(() => parseManifest(text)).toThrow(message);
  });

  test('answers for its own ids and hashes only, not for names that objects inherit', () => {
    const documents = indexDocuments(parseManifest(JSON.stringify({ a: body })));
    expect([documents.find('a')?.body, documents.find(sha256Of(body))?.id, documents.size]).toEqual([body, 'a', 1]);
    for (const id of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', sha256, '']) {
      expect(documents.find(id)).toBeNull();
    }
    expect([documents.has(body), documents.has(`${body} `)]).toEqual([true, false]);
  });

  test('may use such a name as a key', () => {
    const documents = indexDocuments(parseManifest(`{ "__proto__": ${JSON.stringify(body)} }`));
    expect([documents.find('__proto__')?.body, documents.find('constructor')]).toEqual([body, null]);
  });
});

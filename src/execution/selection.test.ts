import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { getOperationAST, parse } from 'graphql';
import { expect, test } from 'vitest';
import { schema } from '../schema/index.ts';
import { compileSelection } from './selection.ts';

test('what is kept for a leaf is the same for all documents', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const compiled: unknown[] = [];
  const bytesOfEach = (selection: string) => {
    const document = parse(`{ feature(id: "x") { ${selection} } }`);
    const operation = getOperationAST(document)!;
    const compile = () => compiled.push(compileSelection(schema, document, operation, { sources: {}, coerced: {} }));
    compile();
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let time = 0; time < 200; time += 1) compile();
    collect();
    return (process.memoryUsage().heapUsed - before) / 200;
  };
  const many = Array.from({ length: 50 }, (_, index) => `a${index}: name b${index}: createdAt`).join(' ');
  // Its name in the answer and a place in two lists: 48 bytes. Compiled for each document it was 800.
  expect((bytesOfEach(many) - bytesOfEach('name')) / 99).toBeLessThan(200);
  expect(compiled).toHaveLength(402);
});

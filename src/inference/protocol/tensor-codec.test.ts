import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ElementType, elementTypes } from '../manifest.ts';
import { type BatchTensor, elementCount, newTensorData } from '../tensors.ts';
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse } from './messages.ts';
import { ProtocolError } from './protocol-error.ts';
import { decodeDocument, type EncodedDocument, encodeDocument } from './tensor-codec.ts';

const json = (value: unknown): EncodedDocument => ({
  body: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
  jsonBytes: null,
});

function withBinary(value: unknown, binary: Uint8Array): EncodedDocument {
  const text = Buffer.from(JSON.stringify(value));
  return { body: Buffer.concat([text, binary]), jsonBytes: text.length };
}

/** A tensor of random bits: floats may be anything in binary, but not all of it in JSON. */
function tensorOf(type: ElementType, isJson: boolean): fc.Arbitrary<BatchTensor> {
  const dims = fc.array(fc.nat({ max: 4 }), { maxLength: 4 });
  const elements = {
    float32: fc.float(isJson ? { noNaN: true, noDefaultInfinity: true } : {}),
    float64: fc.double(isJson ? { noNaN: true, noDefaultInfinity: true } : {}),
    int64: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
    uint64: fc.bigInt(0n, 2n ** 64n - 1n),
    bool: fc.nat({ max: 1 }),
  } as Partial<Record<ElementType, fc.Arbitrary<number | bigint>>>;
  const element = elements[type] ?? fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 });
  return fc.tuple(fc.string({ maxLength: 12 }), dims).chain(([name, shape]) => {
    const count = elementCount(shape);
    return fc.array(element, { minLength: count, maxLength: count }).map((values) => {
      const data = newTensorData(type, count);
      values.forEach((value, index) => {
        (data as unknown as (number | bigint)[])[index] = value;
      });
      return { name, type, dims: shape, data };
    });
  });
}

const anyTensor = (isJson: boolean) => fc.constantFrom(...elementTypes).chain((type) => tensorOf(type, isJson));
const bitsOf = ({ data }: BatchTensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');

describe('round trip', () => {
  const mixed = fc.uniqueArray(
    fc.boolean().chain((isBinary) => anyTensor(!isBinary).map((tensor) => ({ tensor, isBinary }))),
    { selector: ({ tensor }) => tensor.name, maxLength: 4 },
  );

  test('brings every bit of every datatype back, binary and JSON side by side', () => {
    fc.assert(
      fc.property(mixed, fc.nat({ max: 7 }), (items, shift) => {
        const encoded = encodeDocument({ id: 'x' }, 'inputs', items);
        // Somewhere in a larger buffer, so that views of it are not always aligned.
        const larger = Buffer.alloc(shift + encoded.body.length);
        larger.set(encoded.body, shift);
        const moved = { body: larger.subarray(shift), jsonBytes: encoded.jsonBytes };
        const { fields, tensors } = decodeDocument(moved, 'inputs');
        expect(fields.id).toBe('x');
        expect(tensors.map(({ name, type, dims }) => ({ name, type, dims }))).toEqual(
          items.map(({ tensor: { name, type, dims } }) => ({ name, type, dims })),
        );
        expect(tensors.map(bitsOf)).toEqual(items.map(({ tensor }) => bitsOf(tensor)));
      }),
      { numRuns: 500 },
    );
  });

  test('of integers beyond 2^53 in JSON is exact', () => {
    const data = BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n), 9_007_199_254_740_993n, 5n);
    const tensor = { name: 'ids', type: 'int64' as const, dims: [4], data };
    const encoded = encodeDocument({}, 'inputs', [{ tensor, isBinary: false }]);
    expect(Buffer.from(encoded.body).toString()).toContain('[9223372036854775807,-9223372036854775808,');
    expect(decodeDocument(encoded, 'inputs').tensors[0]).toEqual(tensor);
  });

  test('of requests and responses keeps what is around the tensors', () => {
    const inputs = [{ name: 'x', type: 'float32' as const, dims: [1, 2], data: Float32Array.of(1.5, -0) }];
    const outputs = [{ name: 'y', isBinary: true }];
    const request = { id: '7', parameters: { timeout: 5, priority: 2 }, inputs, outputs, isBinaryOutput: true };
    for (const isBinary of [true, false]) {
      const decoded = decodeRequest(encodeRequest(request, isBinary));
      expect(decoded).toEqual({ ...request, parameters: { ...request.parameters, binary_data_output: true } });
      expect(Object.is((decoded.inputs[0]!.data as Float32Array)[1], -0)).toBe(true);
    }
    const response = { modelName: 'm', modelVersion: '1', id: '7', parameters: { a: true }, outputs: inputs };
    expect(decodeResponse(encodeResponse(response, () => true))).toEqual(response);
  });
});

describe('the examples of the specifications', () => {
  // The text of the protocol gives input1 one element for a shape of 3; here it has the three it should have.
  const request = {
    id: '42',
    inputs: [
      { name: 'input0', shape: [2, 2], datatype: 'UINT32', data: [1, 2, 3, 4] },
      { name: 'input1', shape: [3], datatype: 'BOOL', data: [true, false, true] },
    ],
    outputs: [{ name: 'output0' }],
  };
  const expected = {
    id: '42',
    parameters: {},
    inputs: [
      { name: 'input0', type: 'uint32', dims: [2, 2], data: Uint32Array.of(1, 2, 3, 4) },
      { name: 'input1', type: 'bool', dims: [3], data: Uint8Array.of(1, 0, 1) },
    ],
    outputs: [{ name: 'output0', isBinary: false }],
    isBinaryOutput: false,
  };

  test('a request in JSON, flat or nested', () => {
    expect(decodeRequest(json(request))).toEqual(expected);
    const nested = structuredClone(request) as { inputs: { data: unknown }[] };
    nested.inputs[0]!.data = [
      [1, 2],
      [3, 4],
    ];
    expect(decodeRequest(json(nested))).toEqual(expected);
    const asPrinted = structuredClone(request);
    asPrinted.inputs[1]!.data = [true];
    expect(() => decodeRequest(json(asPrinted))).toThrow(/inputs\[1\] "input1": expected data of shape \[3\]/);
  });

  test('a response in JSON', () => {
    const outputs = [{ name: 'output0', shape: [3, 2], datatype: 'FP32', data: [1.0, 1.1, 2.0, 2.1, 3.0, 3.1] }];
    const data = Float32Array.of(1.0, 1.1, 2.0, 2.1, 3.0, 3.1);
    expect(decodeResponse(json({ id: '42', outputs }))).toMatchObject({
      id: '42',
      outputs: [{ name: 'output0', type: 'float32', dims: [3, 2], data }],
    });
  });

  test('a request with 16 and 3 bytes of binary data, and a response with 24', () => {
    const binaryInput = ({ name, shape, datatype }: (typeof request.inputs)[number], size: number) => ({
      name,
      shape,
      datatype,
      parameters: { binary_data_size: size },
    });
    const document = {
      model_name: 'mymodel',
      inputs: [binaryInput(request.inputs[0]!, 16), binaryInput(request.inputs[1]!, 3)],
      outputs: [{ name: 'output0', parameters: { binary_data: true } }],
    };
    const bytes = Buffer.from('01000000020000000300000004000000010001', 'hex');
    expect(decodeRequest(withBinary(document, bytes))).toEqual({
      ...expected,
      id: undefined,
      outputs: [{ name: 'output0', isBinary: true }],
    });
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    const output = { name: 'output0', type: 'float32' as const, dims: [3, 2], data };
    const response = encodeResponse({ parameters: {}, outputs: [output] }, () => true);
    expect(JSON.parse(Buffer.from(response.body.subarray(0, response.jsonBytes!)).toString())).toEqual({
      outputs: [{ name: 'output0', shape: [3, 2], datatype: 'FP32', parameters: { binary_data_size: 24 } }],
    });
    expect(Buffer.from(response.body.subarray(response.jsonBytes!))).toEqual(Buffer.from(data.buffer));
  });
});

describe('a document that is not as it should be', () => {
  const input = { name: 'x', shape: [2], datatype: 'FP32', data: [1, 2] };
  const sized = (size: unknown) => ({ ...input, data: undefined, parameters: { binary_data_size: size } });
  const request = (item: unknown) => json({ inputs: [item] });
  const cases: [string, EncodedDocument, RegExp][] = [
    ['no JSON', json('{'), /^expected JSON, got "{"$/],
    ['no object', json('[]'), /^the body: expected a JSON object, got an array of 0$/],
    ['other bytes', { body: Buffer.from([0x22, 0xff, 0x22]), jsonBytes: null }, /UTF-8/],
    ['no inputs', json({}), /^inputs: expected an array, got nothing$/],
    ['only a prototype with inputs', json('{"__proto__":{"inputs":[]}}'), /^inputs: expected an array, got nothing$/],
    ['no name', request({ ...input, name: 7 }), /^inputs\[0\].name: expected a string, got 7$/],
    ['one name twice', json({ inputs: [input, input] }), /got this one twice$/],
    ['FP16', request({ ...input, datatype: 'FP16' }), /expected a datatype of BOOL, .*FP64, got "FP16"$/],
    ['BYTES', request({ ...input, datatype: 'BYTES' }), /got "BYTES"$/],
    ['BF16', request({ ...input, datatype: 'BF16' }), /got "BF16"$/],
    ['a datatype of Object', request({ ...input, datatype: 'constructor' }), /got "constructor"$/],
    ['a negative size', request({ ...input, shape: [-2] }), /expected a shape of sizes, .* got \[-2\]$/],
    ['a size that is no number', request({ ...input, shape: ['2'] }), /got \["2"\]$/],
    ['a huge shape', request({ ...input, shape: [2 ** 30, 2 ** 30] }), /at most 268435456 elements/],
    ['a huge shape of nothing', request({ ...input, shape: [0, 2 ** 53] }), /expected a shape of sizes/],
    ['too many axes', request({ ...input, shape: new Array(33).fill(1) }), /expected a shape of sizes/],
    ['a shape larger than the JSON', request({ ...input, shape: [2, 2 ** 27] }), /expected 268435456 elements.* less$/],
    ['too few elements', request({ ...input, data: [1] }), /expected data of shape \[2\], got an array of 1$/],
    ['uneven nesting', request({ ...input, shape: [2, 2], data: [[1, 2], [3]] }), /expected data of shape \[2, 2\]/],
    ['too deep data', request({ ...input, data: [[1], [2]] }), /expected elements of float32, got an array of 1$/],
    ['a string', request({ ...input, data: [1, '2'] }), /expected elements of float32, got "2"$/],
    ['too large a float', request({ ...input, data: [1, 1e300] }), /got 1e\+300$/],
    ['a fraction', request({ ...input, datatype: 'INT8', data: [1, 1.5] }), /expected elements of int8, got 1.5$/],
    ['too large an integer', request({ ...input, datatype: 'UINT8', data: [1, 256] }), /uint8, got 256$/],
    ['a float as int64', request({ ...input, datatype: 'INT64', data: [1, 1e300] }), /64-bit integers, got 1e\+300$/],
    ['over int64', request({ ...input, datatype: 'INT64', data: [1, 2 ** 63] }), /int64, got 9223372036854776000$/],
    ['neither data nor binary', request({ ...input, data: undefined }), /got nothing$/],
    ['both data and binary', request({ ...sized(8), data: [1, 2] }), /got both$/],
    ['binary without its header', request(sized(8)), /expected the header Inference-Header-Content-Length/],
    ['a size that lies', withBinary({ inputs: [sized(4)] }, Buffer.alloc(8)), /binary_data_size of 8 .* got 4$/],
    ['a negative binary size', withBinary({ inputs: [sized(-8)] }, Buffer.alloc(8)), /got -8$/],
    ['too few bytes', withBinary({ inputs: [sized(8)] }, Buffer.alloc(7)), /expected 8 bytes of binary data, got 7$/],
    ['too many bytes', withBinary({ inputs: [sized(8)] }, Buffer.alloc(9)), /expected 8 bytes .* got 9$/],
    ['bools of 2', withBinary({ inputs: [{ ...sized(2), datatype: 'BOOL' }] }, Buffer.from([1, 2])), /0 and 1/],
    ['a header beyond the body', { ...request(input), jsonBytes: 10_000 }, /Inference-Header-Content-Length: expected/],
    ['a header within the JSON', { ...request(input), jsonBytes: 10 }, /^expected JSON/],
    ['depth', json(`${'['.repeat(41)}`), /at most 40 levels/],
    ['depth in a megabyte', json('{"a":'.repeat(200_000)), /at most 40 levels/],
    ['too much JSON', json(`"${' '.repeat(16 * 1024 * 1024)}"`), /at most 16777216 bytes of JSON/],
    ['outputs that are none', json({ inputs: [input], outputs: {} }), /^outputs: expected an array, got an object$/],
    ['one output twice', json({ inputs: [input], outputs: [{ name: 'y' }, { name: 'y' }] }), /twice$/],
    ['an id that is none', json({ id: {}, inputs: [input] }), /^id: expected a string, got an object$/],
  ];
  test.each(cases)('is refused: %s', (_, document, message) => {
    expect(() => decodeRequest(document)).toThrow(ProtocolError);
    expect(() => decodeRequest(document)).toThrow(message);
  });

  test('brackets in strings are no depth', () => {
    const id = `${'['.repeat(100)}\\"${'{'.repeat(100)}`;
    expect(decodeRequest(json({ id, inputs: [input] })).id).toBe(id);
  });

  test('whatever is changed in it, a ProtocolError is the worst that comes', () => {
    const tensor = { name: 'x', type: 'int64' as const, dims: [2, 2], data: BigInt64Array.of(1n, 2n, 3n, 2n ** 60n) };
    const items = [false, true].map((isBinary) => ({ tensor: { ...tensor, name: `${isBinary}` }, isBinary }));
    const valid = encodeDocument({ id: '1', parameters: { timeout: 5 } }, 'inputs', items);
    const change = fc.oneof(
      fc.record({
        at: fc.nat({ max: valid.body.length - 1 }),
        bytes: fc.uint8Array({ maxLength: 6 }),
        cut: fc.nat({ max: 6 }),
      }),
    );
    const scrambled = fc.tuple(fc.array(change, { maxLength: 4 }), fc.option(fc.nat({ max: 2 * valid.body.length })));
    let decoded = 0;
    fc.assert(
      fc.property(scrambled, ([changes, jsonBytes]) => {
        let body = Buffer.from(valid.body);
        for (const { at, bytes, cut } of changes) {
          body = Buffer.concat([body.subarray(0, at), bytes, body.subarray(at + cut)]);
        }
        decoded += isDecoded({ body, jsonBytes: jsonBytes ?? valid.jsonBytes }) ? 1 : 0;
      }),
      { numRuns: 3_000 },
    );
    expect(decoded).toBeGreaterThan(20);
  });

  test('whatever JSON it is made of, a ProtocolError is the worst that comes', () => {
    const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom('FP32', 'INT64', [2], [0, 3], [1, 2], -1));
    const item = fc.record(
      { name: value, shape: value, datatype: value, data: value, parameters: value },
      { requiredKeys: [] },
    );
    const document = fc.record(
      { inputs: fc.oneof(value, fc.array(item)), outputs: value, parameters: value, id: value },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(document, (fields) => {
        isDecoded(json(fields));
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Anything but a ProtocolError is thrown on. */
function isDecoded(document: EncodedDocument): boolean {
  try {
    decodeRequest(document);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

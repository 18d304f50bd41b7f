import { describe, expect, test } from 'vitest';
import { isPadding, packBatch, pickBatch, rowCutter } from './batch-layout.ts';
import type { Row } from './engine.ts';
import { type ManifestInput, manifestSchema } from './manifest.ts';
import { checkRows } from './row-check.ts';

function manifestOf(changes: Partial<ManifestInput>) {
  return manifestSchema.parse({
    name: 'm',
    version: '1',
    task: 'EMBEDDING',
    precision: 'FP32',
    deterministic: true,
    inputs: [{ name: 'ids', type: 'int32', shape: ['batch', 'tokens'] }],
    outputs: [{ name: 'out', type: 'int32', shape: ['batch', 'tokens'] }],
    licence: 'MIT',
    sha256: 'a'.repeat(64),
    ...changes,
  });
}
const rowOf = (length: number): Row => ({
  ids: { data: Int32Array.from({ length }, (_, at) => at + 1), dims: [length] },
});
const limits = { maxRows: 1024, maxElements: Number.POSITIVE_INFINITY, paddingWorthABatch: 65_536 };
const picked = (lengths: number[], changes: Partial<typeof limits> = {}) =>
  pickBatch(checkRows(manifestOf({}), lengths.map(rowOf)), { ...limits, ...changes }).map(({ elements }) => elements);

describe('pickBatch', () => {
  test('keeps texts of one page in one batch', () => {
    expect(picked(Array.from({ length: 1000 }, (_, index) => 1 + (index % 40)))).toHaveLength(1000);
  });

  test('takes rows of similar length together, and the row that came first is among them', () => {
    expect(picked([1, 9, 2, 8, 3], { maxRows: 2 })).toEqual([1]);
    expect(picked([9, 2, 8, 3, 1], { maxRows: 2 })).toEqual([9, 8]);
    expect(picked([3, 9, 2, 8, 1], { maxRows: 2 })).toEqual([3, 2]);
    expect(picked([4, 4, 4, 4, 4], { maxRows: 2 })).toEqual([4, 4]);
  });

  test('gives a few very long rows a batch of their own', () => {
    expect(picked([5000, ...new Array(100).fill(10), 4900])).toEqual([5000, 4900]);
    expect(picked([10, 5000, ...new Array(99).fill(10), 4900])).toHaveLength(100);
  });

  test('counts padding when it bounds elements, but never leaves out the first row', () => {
    expect(picked([5, 1, 1, 1, 1], { maxElements: 15 })).toEqual([5, 1, 1]);
    expect(picked([20, 1, 1], { maxElements: 15 })).toEqual([20]);
  });

  test('splits for little padding where padding is dear', () => {
    expect(picked([10, 2, 2, 2], { paddingWorthABatch: 25 })).toHaveLength(4);
    expect(picked([10, 2, 2, 2], { paddingWorthABatch: 24 })).toEqual([10]);
  });
});

test('isPadding: not when the model was not said to ignore it, nor with two dynamic axes', () => {
  expect(isPadding(manifestOf({}))).toBe(true);
  expect(isPadding(manifestOf({ task: 'TENSOR' }))).toBe(false);
  expect(isPadding(manifestOf({ raggedRows: 'separate' }))).toBe(false);
  const inputs: ManifestInput['inputs'] = [{ name: 'ids', type: 'int32', shape: ['batch', 'rows', 'columns'] }];
  expect(isPadding(manifestOf({ inputs }))).toBe(false);
});

describe('packBatch and rowCutter', () => {
  test('pad with 0 on any axis, and cut the padding off again', () => {
    const manifest = manifestOf({
      inputs: [{ name: 'ids', type: 'int32', shape: ['batch', 2, 'tokens'] }],
      outputs: [{ name: 'out', type: 'int32', shape: ['batch', 2, 'tokens'] }],
    });
    const short = { ids: { data: Int32Array.of(1, 2), dims: [2, 1] } };
    const long = { ids: { data: Int32Array.of(3, 4, 5, 6, 7, 8), dims: [2, 3] } };
    const rows = checkRows(manifest, [short, long]);
    const [packed] = packBatch(manifest, rows);
    expect(packed).toMatchObject({ dims: [2, 2, 3], data: Int32Array.of(1, 0, 0, 2, 0, 0, 3, 4, 5, 6, 7, 8) });
    const outputs = [{ ...packed!, name: 'out' }];
    const cut = rowCutter(manifest, outputs);
    expect(cut(rows[0]!, 0).out).toEqual(short.ids);
    expect(cut(rows[1]!, 1).out).toEqual(long.ids);
  });

  test('reads views at their offset, pads empty rows to one step, and returns copies', () => {
    const manifest = manifestOf({});
    const view = Int32Array.of(9, 9, 1, 2, 9).subarray(2, 4);
    const rows = checkRows(manifest, [{ ids: { data: view, dims: [2] } }, rowOf(0)]);
    const [packed] = packBatch(manifest, rows);
    expect(packed!.data).toEqual(Int32Array.of(1, 2, 0, 0));
    expect(packBatch(manifest, rows.slice(1))[0]!.dims).toEqual([1, 1]);
    const out = rowCutter(manifest, [{ ...packed!, name: 'out' }])(rows[0]!, 0).out!;
    expect(out.data.buffer).not.toBe(packed!.data.buffer);
    expect(out.data.buffer.byteLength).toBe(8);
  });
});

describe('checkRows', () => {
  const manifest = manifestOf({
    inputs: [
      { name: 'ids', type: 'int32', shape: ['batch', 'tokens'] },
      { name: 'mask', type: 'bool', shape: ['batch', 'tokens'] },
      { name: 'site', type: 'float32', shape: ['batch', 2] },
    ],
  });
  const good = {
    ids: { data: Int32Array.of(1, 2, 3), dims: [3] },
    mask: { data: Uint8Array.of(1, 1, 0), dims: [3] },
    site: { data: Float32Array.of(1, 2), dims: [2] },
  };

  test.each<[string, object, string]>([
    ['a missing input', { mask: undefined }, 'row 1, input mask: expected a tensor, got nothing'],
    ['an unknown input', { extra: good.ids }, 'row 1: expected the inputs ids, mask, site, got another, "extra"'],
    [
      'another type',
      { ids: { ...good.ids, data: new Float32Array(3) } },
      'row 1, input ids: expected Int32Array, got Float32Array',
    ],
    ['too few dims', { ids: { ...good.ids, dims: [] } }, 'row 1, input ids: expected dims [tokens], got []'],
    [
      'another fixed size',
      { site: { data: new Float32Array(3), dims: [3] } },
      'row 1, input site: expected dims [2], got [3]',
    ],
    ['a size that is none', { ids: { ...good.ids, dims: [-1] } }, 'row 1, input ids: expected dims [tokens], got [-1]'],
    [
      'an axis of two sizes',
      { mask: { data: new Uint8Array(2), dims: [2] } },
      'row 1, input mask: expected dims [tokens], got [2]',
    ],
    [
      'too few elements',
      { ids: { ...good.ids, dims: [4] } },
      'row 1, input ids: expected 4 elements for dims [4], got 3',
    ],
  ])('refuses %s', (_, changes, message) => {
    const rows = [good, { ...good, ...changes }] as unknown as Row[];
    expect(() => checkRows(manifest, rows)).toThrow(expect.objectContaining({ kind: 'invalid-input', message }));
  });
});

import { describe, expect, test } from 'vitest';
import { batchSizesOf, type ExecutionProvider, inOrder, onFirstProvider } from './execution-providers.ts';

describe('inOrder', () => {
  test.each<[ExecutionProvider[], ExecutionProvider[]]>([
    [[], ['cpu']],
    [['cpu'], ['cpu']],
    [['webgpu'], ['webgpu', 'cpu']],
    [
      ['webgpu', 'cuda', 'webgpu'],
      ['webgpu', 'cuda', 'cpu'],
    ],
    [
      ['cuda', 'cpu', 'webgpu'],
      ['cuda', 'cpu'],
    ],
  ])('of %j is %j', (given, expected) => {
    expect(inOrder(given)).toEqual(expected);
  });
});

describe('onFirstProvider', () => {
  const given: ExecutionProvider[] = ['cuda', 'webgpu'];
  const noAdapter =
    '/src/webgpu_context.cc:136 onnxruntime::Initialize()::<lambda()> status == Success was false. No adapter\n at';
  const failures: Record<string, string> = { cuda: 'Append_Cuda: Failed to load shared library', webgpu: noAdapter };

  test('takes the first that opens, and says in a line each why the others did not', async () => {
    const tried: string[] = [];
    const open = async (provider: ExecutionProvider) => {
      tried.push(provider);
      if (failures[provider] !== undefined) throw new Error(failures[provider]);
      return `on ${provider}`;
    };
    expect(await onFirstProvider(given, open)).toEqual({
      opened: 'on cpu',
      executionProvider: 'cpu',
      skippedProviders: [
        'cuda: its libraries are not installed (Append_Cuda: Failed to load shared library)',
        'webgpu: No adapter',
      ],
    });
    expect(tried).toEqual(['cuda', 'webgpu', 'cpu']);
  });

  test('does not try what comes after one that opens', async () => {
    const open = async (provider: ExecutionProvider) => provider;
    expect(await onFirstProvider(given, open)).toEqual({
      opened: 'cuda',
      executionProvider: 'cuda',
      skippedProviders: [],
    });
  });

  test('tells what goes wrong everywhere as the last resort tells it', async () => {
    const open = async (provider: ExecutionProvider) => {
      throw new Error(`broken on ${provider}`);
    };
    await expect(onFirstProvider(given, open)).rejects.toThrow(/^broken on cpu$/);
  });
});

describe('batchSizesOf', () => {
  test.each<[object, ExecutionProvider, readonly number[] | null]>([
    [{ maxBatchRows: 1024 }, 'cpu', null],
    [{ maxBatchRows: 8 }, 'webgpu', [1, 2, 4, 8]],
    [{ maxBatchRows: 6 }, 'cuda', [1, 2, 4, 6]],
    [{ maxBatchRows: 1 }, 'cuda', [1]],
    [{ maxBatchRows: 6, batchSizes: [3, 6] }, 'cpu', [3, 6]],
    [{ maxBatchRows: 6, batchSizes: [3, 6] }, 'cuda', [3, 6]],
  ])('of %j on %s are %j', (manifest, provider, expected) => {
    expect(batchSizesOf(manifest as { maxBatchRows: number }, provider)).toEqual(expected);
  });
});

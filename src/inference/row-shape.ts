/** What a manifest says of the shapes of rows, worked out once for each manifest: rows come by the hundred thousand. */
import type { Manifest, TensorSpec } from './manifest.ts';

/** A tensor without its batch axis. */
export interface TensorShape {
  readonly spec: TensorSpec;
  /** Of each axis: the size it must have, or null when it is dynamic. */
  readonly sizes: readonly (number | null)[];
  /** Of each axis: its place among the dynamic axes of the inputs; -1 when it is fixed, or is in no input. */
  readonly axes: readonly number[];
  readonly isFixed: boolean;
}

export interface RowShape {
  readonly inputs: readonly TensorShape[];
  readonly outputs: ReadonlyMap<string, TensorShape>;
  /** How many dynamic axes the inputs have, batch not counted. */
  readonly axes: number;
}

const shapes = new WeakMap<Manifest, RowShape>();

/** The shapes of a manifest's inputs and outputs. */
export function rowShapeOf(manifest: Manifest): RowShape {
  let shape = shapes.get(manifest);
  if (shape === undefined) {
    shape = describeRow(manifest);
    shapes.set(manifest, shape);
  }
  return shape;
}

function describeRow({ inputs, outputs }: Manifest): RowShape {
  const names: string[] = [];
  for (const { shape } of inputs) {
    for (const size of shape.slice(1)) if (typeof size === 'string' && !names.includes(size)) names.push(size);
  }
  const describe = (spec: TensorSpec): TensorShape => {
    const [, ...shape] = spec.shape;
    const sizes = shape.map((size) => (typeof size === 'number' ? size : null));
    const axes = shape.map((size) => (typeof size === 'number' ? -1 : names.indexOf(size)));
    return { spec, sizes, axes, isFixed: !sizes.includes(null) };
  };
  return {
    inputs: inputs.map(describe),
    outputs: new Map(outputs.map((spec) => [spec.name, describe(spec)])),
    axes: names.length,
  };
}

import { slope } from '../statistics.ts';

/** How a figure changes with time. */
export interface Trend {
  readonly perHour: number;
  /** The slope is within this of it, on 95 of 100 occasions. */
  readonly uncertaintyPerHour: number;
}

const blocks = 12;
/** Of Student's t for 97.5 % with two less degrees of freedom than there are blocks. */
const studentT = 2.228;

/**
 * Least squares over the means of twelve blocks: what follows each other within seconds, such as the saw-tooth of a heap,
 * is not independent, and counting each sample would make noise look like a certain slope. NaN: fewer than twelve points.
 * @param points - by rising time, about evenly
 */
export function trendOf(points: readonly (readonly [seconds: number, value: number])[]): Trend {
  if (points.length < blocks) return { perHour: Number.NaN, uncertaintyPerHour: Number.NaN };
  const means = Array.from({ length: blocks }, (_, block) => {
    const [from, to] = [block, block + 1].map((edge) => Math.round((edge * points.length) / blocks));
    return meanOf(points.slice(from, to));
  });
  const perSecond = slope(means);
  const [meanX, meanY] = meanOf(means);
  const left = means.reduce((sum, [x, y]) => sum + (y - meanY - perSecond * (x - meanX)) ** 2, 0);
  const spread = means.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const error = Math.sqrt(left / (blocks - 2) / spread);
  return { perHour: perSecond * 3_600, uncertaintyPerHour: studentT * error * 3_600 };
}

/** What it has grown by for sure, over so long; 0: it may not have. */
export function certainGrowth({ perHour, uncertaintyPerHour }: Trend, hours: number): number {
  return Math.max(0, perHour - uncertaintyPerHour) * hours;
}

function meanOf(points: readonly (readonly [number, number])[]): readonly [number, number] {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return [sum(points.map(([x]) => x)) / points.length, sum(points.map(([, y]) => y)) / points.length];
}

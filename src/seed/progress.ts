import { Presets, SingleBar } from 'cli-progress';

/** Tells a person how far a seed is: bars on a terminal, a line for each finished step elsewhere. */
export interface Progress {
  begin(step: string, total: number): void;
  advance(count: number): void;
  end(): void;
  note(line: string): void;
}

const bar = '{step} {bar} {percentage}% | {value} of {total} | {seconds} s';
const widestStep = 14;

export function createProgress(output: NodeJS.WriteStream): Progress {
  return output.isTTY ? createBars(output) : createLines(output);
}

/** "12.3" of the time since `startedMs` (performance.now()). */
export function secondsSince(startedMs: number): string {
  return ((performance.now() - startedMs) / 1000).toFixed(1);
}

function createBars(output: NodeJS.WriteStream): Progress {
  let current: { single: SingleBar; startedMs: number } | undefined;
  const formatValue = (value: number, _options: unknown, type: string) =>
    type === 'total' || type === 'value' ? value.toLocaleString('en') : String(value);
  return {
    begin: (step, total) => {
      const single = new SingleBar(
        { format: bar, stream: output, formatValue, hideCursor: true },
        Presets.shades_classic,
      );
      current = { single, startedMs: performance.now() };
      single.start(total, 0, { step: step.padEnd(widestStep), seconds: '0.0' });
    },
    advance: (count) => current?.single.increment(count, { seconds: secondsSince(current.startedMs) }),
    end: () => {
      current?.single.update({ seconds: secondsSince(current.startedMs) });
      current?.single.stop();
      current = undefined;
    },
    note: (line) => output.write(`${line}\n`),
  };
}

function createLines(output: NodeJS.WriteStream): Progress {
  let current = { step: '', total: 0, startedMs: 0 };
  return {
    begin: (step, total) => {
      current = { step, total, startedMs: performance.now() };
    },
    advance: () => {},
    end: () => {
      const { step, total, startedMs } = current;
      output.write(
        `${step.padEnd(widestStep)} ${total.toLocaleString('en').padStart(12)} in ${secondsSince(startedMs)} s\n`,
      );
    },
    note: (line) => output.write(`${line}\n`),
  };
}

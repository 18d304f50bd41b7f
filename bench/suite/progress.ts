import { Presets, SingleBar } from 'cli-progress';

/** How far a run is: a bar on a terminal, a line for each step elsewhere. */
export interface Progress {
  /** The next of the steps begins. */
  step(name: string): void;
  end(): void;
}

export function createProgress(output: NodeJS.WriteStream, steps: number): Progress {
  let begun = 0;
  if (!output.isTTY) {
    return {
      step: (name) => output.write(`${++begun} of ${steps}: ${name}\n`),
      end: () => {},
    };
  }
  const bar = new SingleBar(
    {
      format: '{bar} {value} of {total} | {duration_formatted}, {eta_formatted} left | {name}',
      stream: output,
      hideCursor: true,
    },
    Presets.shades_classic,
  );
  bar.start(steps, 0, { name: '' });
  return {
    step: (name) => bar.update(begun++, { name }),
    end: () => {
      bar.update(steps, { name: '' });
      bar.stop();
    },
  };
}

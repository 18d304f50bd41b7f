/** This working tree against a result of the suite that was kept as JSON, by its ratios only: its times are of another hour. */
import { readFileSync } from 'node:fs';
import { StartupError } from '../../src/errors.ts';
import { reportFailures, runSuite, type SuiteOptions } from '../suite/cli.ts';
import { describeMachine } from '../suite/machine.ts';
import type { BenchResult, Load, ScenarioResult } from '../suite/results.ts';
import { type ComparedFigure, reportFigures } from './compared-figure.ts';

/** Logarithm: the two were measured with other processes, at another time, which changes a ratio by up to 10 %. */
const ignored = 0.1;
/** Ratios that a loaded machine leaves as they are, and whether more of one is worse. */
const comparedRatios: readonly (readonly [begin: string, isMoreWorse: boolean])[] = [
  ['CPU against ', true],
  ['requests a second against ', false],
];

/**
 * Measures what the kept result has, and prints how the ratios differ; one that is worse by more than the noise fails the
 * process at its end.
 * @throws StartupError when the file is no result of the suite, or has nothing that can be compared
 */
export async function benchCompareKept(file: string, options: Omit<SuiteOptions, 'out'>): Promise<void> {
  const kept = readResult(file);
  const machine = describeMachine(kept.machine.isPinned);
  if (kept.machine.cpu !== machine.cpu || kept.machine.cores !== machine.cores) {
    console.log(`${file} is of another machine: ${kept.machine.cores} cores, ${kept.machine.cpu}`);
  }
  const fast = kept.scenarios.filter(({ load }) => load.rate === null);
  const names = [...new Set(fast.map(({ name }) => name))];
  const only = names.filter((name) => options.only?.some((begin) => name.startsWith(begin)) ?? true);
  const connections = options.connections.filter((count) => fast.some(({ load }) => load.connections === count));
  if (only.length === 0 || connections.length === 0) {
    throw new StartupError(`${file} has nothing of what is asked for: it has ${names.join('; ') || 'no scenarios'}`);
  }
  const { result, failures } = await runSuite({ ...options, only, connections });
  reportFailures(failures);
  const figures = matchRatios(kept, result);
  if (!reportFigures(figures, { isPaired: false, ignored })) process.exitCode = 1;
}

/** The ratios that both have, each with its rounds. */
export function matchRatios(before: BenchResult, after: BenchResult): ComparedFigure[] {
  return after.scenarios.flatMap((scenario) => {
    const old = before.scenarios.find((other) => other.name === scenario.name && isSameLoad(other.load, scenario.load));
    return old === undefined || scenario.load.rate !== null ? [] : matchScenario(old, scenario);
  });
}

function matchScenario(before: ScenarioResult, { name: scenario, load, ratios }: ScenarioResult): ComparedFigure[] {
  return ratios.flatMap(({ name, rounds }) => {
    const old = before.ratios.find((ratio) => ratio.name === name);
    const compared = comparedRatios.find(([begin]) => name.startsWith(begin));
    if (old === undefined || compared === undefined) return [];
    const figure = `${scenario}, ${load.connections} connections: ${name}`;
    return [{ name: figure, isMoreWorse: compared[1], before: old.rounds, after: rounds }];
  });
}

function isSameLoad(one: Load, other: Load): boolean {
  return one.connections === other.connections && one.rate === other.rate;
}

function readResult(file: string): BenchResult {
  const result = parse(file);
  if (result?.formatVersion !== 1 || !Array.isArray(result.scenarios)) {
    throw new StartupError(`--compare ${file}: expected a result of \`npm run bench\`, of form 1`);
  }
  return result as BenchResult;
}

function parse(file: string): Partial<BenchResult> | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<BenchResult> | null;
  } catch (error) {
    throw new StartupError(`--compare ${file}: ${(error as Error).message}`);
  }
}

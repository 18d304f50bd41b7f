/**
 * How much JavaScript a process has run, as V8's block counters tell it: characters of source times how often they ran.
 * Unlike time it is the same on every machine, and unlike the number of calls it sees work in loops.
 */
import { readFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { fileURLToPath } from 'node:url';

export interface ExecutedSource {
  calls: number;
  /** Without spaces and comments, where the source is a file. */
  characters: number;
}

/** Characters before each offset that are neither space nor comment. */
type CharacterCounts = Uint32Array;

/**
 * Sums what `Profiler.takePreciseCoverage` answers, with `callCount` and `detailed`.
 * @param isCounted whether the script of this URL is
 */
export function sumExecutedSource(
  scripts: readonly Profiler.ScriptCoverage[],
  isCounted: (url: string) => boolean = () => true,
): ExecutedSource {
  const sum: ExecutedSource = { calls: 0, characters: 0 };
  for (const { url, functions } of scripts) {
    if (!isCounted(url)) continue;
    const counts = characterCountsOf(url);
    for (const { ranges } of functions) {
      sum.calls += ranges[0]!.count;
      sum.characters += executedCharacters(ranges, counts);
    }
  }
  return sum;
}

/** Ranges lie in one another, outer before inner; each has the count of what is in it and in no inner one. */
function executedCharacters(ranges: readonly Profiler.CoverageRange[], counts: CharacterCounts | null): number {
  const around: Profiler.CoverageRange[] = [];
  let sum = 0;
  for (const range of ranges) {
    while (around.length > 0 && around.at(-1)!.endOffset <= range.startOffset) around.pop();
    const { startOffset, endOffset, count } = range;
    const characters = counts ? counts[endOffset]! - counts[startOffset]! : endOffset - startOffset;
    sum += characters * (count - (around.at(-1)?.count ?? 0));
    around.push(range);
  }
  return sum;
}

const countsByUrl = new Map<string, CharacterCounts | null>();

/** null: there is no file, as for Node's own scripts. */
function characterCountsOf(url: string): CharacterCounts | null {
  const known = countsByUrl.get(url);
  if (known !== undefined) return known;
  const counts = url.startsWith('file:') ? countCharacters(readFileSync(fileURLToPath(url), 'utf8')) : null;
  countsByUrl.set(url, counts);
  return counts;
}

/**
 * A reformatted file or one with other comments has the same counts. A regular expression that holds a quote or a
 * comment's start is taken for one, which is the same in each run.
 */
export function countCharacters(source: string): CharacterCounts {
  const counts = new Uint32Array(source.length + 1);
  const parts = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|\s+|(?:'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|[\s\S]/g;
  let count = 0;
  for (const { 0: part, index } of source.matchAll(parts)) {
    const isCode = !/^(?:\s|\/\/|\/\*)/.test(part);
    for (let offset = index; offset < index + part.length; offset += 1) {
      counts[offset] = count;
      if (isCode) count += 1;
    }
  }
  counts[source.length] = count;
  return counts;
}

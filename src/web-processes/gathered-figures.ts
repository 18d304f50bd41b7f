/** The figures of several processes as those of one server. */
import type { ChildProcess } from 'node:child_process';
import { AggregatorRegistry, type Registry } from 'prom-client';
import type { FigurePage } from '../http/listener.ts';
import { type Figures, onEnd, type ToPrimary, tell } from './messages.ts';

/** A process that does not answer by then is told of as it was when it last did. */
const patienceMs = 1_000;

interface Source {
  /** The value of the label `process` of its figures; null: they are without. */
  readonly label: string | null;
  latest: Figures;
  /** Those who wait for it to answer. */
  waiting: (() => void)[];
}

/**
 * Adds up the figures of all processes, each by its `aggregator`. What ended processes have counted stays in the sums: a
 * counter that falls looks to Prometheus as if it had begun again at zero.
 */
export class GatheredFigures implements FigurePage {
  readonly #own: Registry;
  readonly #sources = new Map<ChildProcess, Source>();
  #past: Figures = [];

  /** @param own the figures of the process that gathers */
  constructor(own: Registry) {
    this.#own = own;
  }

  get contentType() {
    return this.#own.contentType;
  }

  /** Gathers from a process until it ends, and answers it when it asks for the page. */
  add(child: ChildProcess, label: string | null): void {
    const source: Source = { label, latest: [], waiting: [] };
    this.#sources.set(child, source);
    child.on('message', (message: ToPrimary) => {
      if (message.type === 'figures') {
        source.latest = labelled(message.figures, label);
        release(source);
      } else if (message.type === 'page-wanted') void this.#answer(child, message.id);
    });
    onEnd(child, () => {
      this.#sources.delete(child);
      release(source);
      this.#past = addUp([this.#past, source.latest.filter(isSum)]);
    });
  }

  /** The text that Prometheus reads. */
  async metrics(): Promise<string> {
    await Promise.all([...this.#sources].map(([child, source]) => ask(child, source)));
    const own = await this.#own.getMetricsAsJSON();
    const latest = [...this.#sources.values()].map((source) => source.latest);
    // The processes first: help and type of a figure are those of the first that has it.
    return AggregatorRegistry.aggregate([...latest, this.#past, own]).metrics();
  }

  async #answer(child: ChildProcess, id: number): Promise<void> {
    const text = await this.metrics().catch(() => null);
    tell(child, { type: 'page', id, text });
  }
}

/** Resolves when it has told its figures, has ended, or takes too long. */
function ask(child: ChildProcess, source: Source): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  source.waiting.push(resolve);
  const timer = setTimeout(resolve, patienceMs);
  tell(child, { type: 'figures-wanted' });
  return promise.finally(() => clearTimeout(timer));
}

function release(source: Source): void {
  for (const resolve of source.waiting.splice(0)) resolve();
}

function labelled(figures: Figures, process: string | null): Figures {
  if (process === null) return figures;
  return figures.map((figure) => ({
    ...figure,
    values: figure.values.map((value) => ({ ...value, labels: { ...value.labels, process } })),
  }));
}

/** Gauges say how something is now, and of an ended process nothing is. */
function isSum({ type }: Figures[number]): boolean {
  return String(type) !== 'gauge';
}

function addUp(parts: readonly Figures[]): Figures {
  // What it holds is figures with values, though its type says less; getMetricsAsJSON() would answer later.
  return AggregatorRegistry.aggregate([...parts]).getMetricsAsArray() as Figures;
}

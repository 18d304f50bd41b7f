import { closeSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { giveToOwnerOfFolder } from './owner.ts';

const TAIL_BYTES = 8_192;

/** A log file that never grows over two times `limitBytes`: a full one becomes `<path>.1`. */
export class BoundedLog {
  readonly #path: string;
  readonly #limitBytes: number;
  #file: number;
  #size: number;
  #tail = '';

  constructor(path: string, limitBytes = 10 * 1024 * 1024) {
    this.#path = path;
    this.#limitBytes = limitBytes;
    this.#file = openSync(path, 'a');
    giveToOwnerOfFolder(path);
    this.#size = statSync(path).size;
  }

  write(chunk: Buffer): void {
    this.#tail = (this.#tail + chunk.toString('utf8')).slice(-TAIL_BYTES);
    try {
      if (this.#size > this.#limitBytes) this.#rotate();
      this.#size += writeSync(this.#file, chunk);
    } catch {
      // A full disk must not take the database down with its log.
    }
  }

  /** The end of what was written through this object. */
  tail(): string {
    return this.#tail;
  }

  #rotate(): void {
    closeSync(this.#file);
    renameSync(this.#path, `${this.#path}.1`);
    this.#file = openSync(this.#path, 'a');
    giveToOwnerOfFolder(this.#path);
    this.#size = 0;
  }
}

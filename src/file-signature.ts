import { stat } from 'node:fs/promises';

/** Another text for each state of a file by its size, time and inode; of one that is not there, the code of the error. */
export async function fileSignature(path: string): Promise<string> {
  try {
    const { size, mtimeMs, ino } = await stat(path);
    return `${size} ${mtimeMs} ${ino}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pageFunctions } from './browser.ts';
import { type Html, html, trusted } from './html.ts';
import { formatFigure, formatNumber, roundSteps, steps } from './numbers.ts';

/** What was measured, where and when: `commit`, `52937a9`. */
export type Fact = readonly [name: string, value: string];

export interface Page {
  title: string;
  facts: readonly Fact[];
  body: Html;
}

/** One file that needs nothing else: it asks for no address, and runs its own two scripts only. Makes its folder. */
export async function writePage({ title, facts, body }: Page, file: string): Promise<void> {
  const [library, license, ...styles] = await Promise.all([
    readPart(import.meta.resolve('uplot/dist/uPlot.iife.min.js')),
    readPart(import.meta.resolve('uplot/LICENSE')),
    readPart(import.meta.resolve('uplot/dist/uPlot.min.css')),
    readPart(new URL('page.css', import.meta.url)),
    readPart(new URL('charts.css', import.meta.url)),
  ]);
  const [draw] = pageFunctions;
  const scripts = [
    `/*\n${license}*/\n${library}`,
    `${[formatNumber, formatFigure, steps, roundSteps, ...pageFunctions].map(String).join('\n')}\n${draw!.name}();`,
  ];
  const hashes = scripts.map((script) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`);
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src ${hashes.join(' ')}`;
  const page = html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${styles.map(trusted)}</style>
<h1>${title}</h1>
<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${body}
${scripts.map((script) => html`<script>${trusted(script)}</script>\n`)}`;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, page.markup);
}

function readPart(url: string | URL): Promise<string> {
  return readFile(new URL(url), 'utf8');
}
